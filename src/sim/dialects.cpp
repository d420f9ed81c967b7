#include "cooldown/sim/dialects.hpp"

#include <algorithm>

#include "dialect_parts.hpp"

namespace cooldown::sim {
namespace {

const std::vector<dialect_profile>& all_dialects() {
  static const auto all = [] {
    std::vector<dialect_profile> profiles;
    for (const auto& part : {openai_dialects(), other_dialects(), ietf_dialects()})
      profiles.insert(profiles.end(), part.begin(), part.end());
    return profiles;
  }();
  return all;
}

}  // namespace

const quota_reading* dialect_answer::find(limit_id which) const {
  const auto found = std::ranges::find_if(
      readings, [&](const quota_reading& r) { return r.what == which.counts && r.per == which.over; });
  return found == readings.end() ? nullptr : &*found;
}

void speak(provider_settings& provider, const dialect_profile& as) {
  provider.dialect = &as;
  provider.limits = as.limits;
  provider.rules.refill = as.refill;
  provider.concurrency = as.concurrency;
}

std::span<const dialect_profile> dialects() {
  return all_dialects();
}

const dialect_profile* find_dialect(std::string_view name) {
  for (const auto& each : all_dialects())
    if (each.name == name) return &each;
  return nullptr;
}

}  // namespace cooldown::sim
