// What a request takes of limits.
#pragma once

#include "cooldown/limit/limit_id.hpp"

namespace cooldown {

/// The tokens of one request, or of several.
struct token_cost {
  double tokens = 0;
  double input = 0;  // of them

  /// The input may be left out where no limit counts it apart.
  token_cost(double all, double of_input = 0) : tokens(all), input(of_input) {}

  /// What it takes of a limit; `requests`: how many they are.
  double of(resource counted, double requests = 1) const {
    switch (counted) {
      case resource::requests:
        return requests;
      case resource::tokens:
      case resource::total_tokens:
        break;
      case resource::input_tokens:
        return input;
      case resource::output_tokens:
        return tokens - input;
    }
    return tokens;
  }
};

}  // namespace cooldown
