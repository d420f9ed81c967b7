#include "cooldown/schedule/constraint.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace cooldown {
namespace {

struct wording {
  const char* name;
  const char* text;
};

constexpr wording reasons[] = {
    {"", ""},
    {"others_ahead", "others are ahead"},
    {"in_flight", "queue.max_in_flight requests are at the provider"},
    {"paused", "the model is paused"},
    {"provider_pause", "the provider asked for a pause"},
    {"recovery", "after a refusal, requests are sent one at a time"},
    {"capacity", "the provider was busy"},
    {"concurrency", "the provider takes no more requests at once"},
    {"spacing", "the provider refuses bursts: requests are spaced out"},
    {"first_answers", "waiting for the first answers, which show the limits"},
    {"circuit_breaker", "the provider keeps failing"},
};
static_assert(std::size(reasons) == static_cast<std::size_t>(constraint::first_limit));

std::vector<std::pair<std::string, std::string>> all_wordings() {
  std::vector<std::pair<std::string, std::string>> all;
  for (auto const& [name, text] : reasons) all.emplace_back(name, text);
  for (std::size_t counts = 0; counts < resource_count; ++counts) {
    std::string const name = name_of(static_cast<resource>(counts));
    auto words = name;
    std::replace(words.begin(), words.end(), '_', ' ');
    for (auto const over : window_kinds)
      all.emplace_back(name + "_" + name_of(over), "the " + words + " of this " + name_of(over) + " are used up");
  }
  return all;
}

auto const& wording_of(constraint c) {
  static auto const all = all_wordings();
  return all[static_cast<std::size_t>(c)];
}

}  // namespace

const char* name_of(constraint c) {
  return wording_of(c).first.c_str();
}

const char* text_of(constraint c) {
  return wording_of(c).second.c_str();
}

}  // namespace cooldown
