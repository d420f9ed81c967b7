// Measures how long after the earliest possible moment, which only the provider knows, the head of a queue was
// released.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "quota/call.hpp"

namespace cooldown::bench {

/// For the longest waiting request of each model. Releases out of turn do not count.
class lateness {
 public:
  using when_admissible = std::function<std::optional<time_point>(const call_ptr&)>;
  explicit lateness(when_admissible ask) : ask_(std::move(ask)) {}

  void waits(const call_ptr& c, time_point now);
  void released(const call_ptr& c, time_point now);
  void gone(const call_ptr& c, time_point now);
  void quota_changed(time_point now);

  const std::vector<double>& seconds() const { return seconds_; }

 private:
  struct line {
    std::map<std::uint64_t, call_ptr> waiting;
    std::uint64_t head = 0;              // the request that `earliest` is about; 0: none
    std::optional<time_point> earliest;  // nullopt: never, unless something changes
  };
  void look(line& l, time_point now);

  when_admissible ask_;
  std::map<int, line> lines_;
  std::vector<double> seconds_;
};

}  // namespace cooldown::bench
