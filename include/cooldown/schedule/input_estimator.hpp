// Estimates the tokens of an input from its characters and images, and learns from the `usage` of answers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/schedule/request_size.hpp"

namespace cooldown {

/// Each kind of characters has its own ratio, so that texts of one kind do not change the estimates of others. Ratios
/// follow a high quantile in small steps: underestimates are rare, and no single text decides.
class input_estimator {
 public:
  /// Estimated tokens, rather too many.
  double tokens(const request_size& size) const;

  /// Lower bound of the tokens: texts of the same kind differ.
  double least(const request_size& size) const;

  /// usage.prompt_tokens of a request of this size. True: estimates have changed by a tenth or more since it last said
  /// so.
  bool observe(const request_size& size, std::uint64_t prompt_tokens);

  /// Of ASCII prose, in tokens per character.
  double tokens_per_char() const { return parts_[0].ratio; }

  void save(learned_costs& into) const;
  void restore(const learned_costs& s);

 private:
  struct part {
    double ratio;         // tokens per unit: a character, or an image
    double least;         // the lowest ratio seen lately, or one below any plausible ratio
    double seen = 0;      // observations, weighted by their share of the input
    double doubted = 0;   // the latest observation, which the next one may confirm
    double told = ratio;  // the ratio when observe() last said that estimates have changed
  };
  static constexpr std::size_t part_count = 5;  // prose, code, other, dense, images
  static std::array<double, part_count> units_of(const request_size& size);
  void move(std::size_t i, double target, double share);

  // Prose: between English (0.25) and code (0.35), which starts from the same. Other scripts: between Cyrillic (0.4)
  // and the CJK ones (0.6 to 1). Base64: 0.75. An image: one of high detail at most models.
  std::array<part, part_count> parts_{{{0.3, 0.1}, {0.3, 0.1}, {0.7, 0.1}, {0.75, 0.1}, {1'000, 50}}};
  double observations_ = 0;
};

}  // namespace cooldown
