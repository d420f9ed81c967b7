#include "cooldown/limit/limit_id.hpp"

#include <utility>

namespace cooldown {

const char* name_of(resource r) {
  switch (r) {
    case resource::requests:
      return "requests";
    case resource::tokens:
      return "tokens";
    case resource::total_tokens:
      return "total_tokens";
    case resource::input_tokens:
      return "input_tokens";
    case resource::output_tokens:
      return "output_tokens";
  }
  return "tokens";
}

std::string name_of(window w) {
  constexpr std::pair<window, const char*> words[] = {{window::second, "second"},
                                                      {window::minute, "minute"},
                                                      {window::hour, "hour"},
                                                      {window::day, "day"},
                                                      {window::month, "month"}};
  for (auto const& [each, word] : words)
    if (each == w) return word;
  return std::to_string(w.length() / std::chrono::seconds{1}) + "s";
}

}  // namespace cooldown
