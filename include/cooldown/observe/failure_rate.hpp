// How many recent attempts at the provider failed. Takes the time as an argument.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cooldown/time.hpp"

namespace cooldown::observe {

class failure_rate {
 public:
  static constexpr duration span = std::chrono::minutes{5};

  struct figures {
    std::uint64_t attempts = 0;
    std::uint64_t failures = 0;
  };
  struct failure {
    time_point at;
    std::string cause;  // for people: "Connection refused", "status 503"
  };

  void worked(time_point now) { ++slot_of(now).counts.attempts; }

  void failed(time_point now, std::string cause) {
    auto& counts = slot_of(now).counts;
    ++counts.attempts;
    ++counts.failures;
    last_ = failure{now, std::move(cause)};
  }

  /// Of the last `span`.
  figures recent(time_point now) const {
    figures sum;
    for (auto const& s : slots_)
      if (s.number + slot_count > number_at(now)) {
        sum.attempts += s.counts.attempts;
        sum.failures += s.counts.failures;
      }
    return sum;
  }

  const std::optional<failure>& last() const { return last_; }

 private:
  static constexpr std::int64_t slot_count = 30;  // of ten seconds each

  struct slot {
    std::int64_t number = -slot_count;
    figures counts;
  };
  static std::int64_t number_at(time_point t) { return t.time_since_epoch() / (span / slot_count); }
  slot& slot_of(time_point now) {
    auto const number = number_at(now);
    auto& s = slots_[static_cast<std::size_t>(number % slot_count)];
    if (s.number != number) s = {number, {}};
    return s;
  }

  std::array<slot, slot_count> slots_{};
  std::optional<failure> last_;
};

}  // namespace cooldown::observe
