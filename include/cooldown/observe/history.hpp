// The last quarter of an hour, second by second, and the last requests: what the live page draws. Takes the time as an
// argument, does no I/O.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/observe/access_record.hpp"
#include "cooldown/observe/names.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::observe {

class history {
 public:
  static constexpr duration interval = std::chrono::seconds{1};
  static constexpr duration span = std::chrono::minutes{15};
  static constexpr std::size_t most_points = span / interval;
  static constexpr std::size_t most_scopes = 64;  // those that were released to last
  static constexpr std::size_t most_recent = 100;

  /// What happened in a scope since the point before, and how it stands. 36 bytes.
  struct point {
    std::uint32_t time = 0;  // seconds since 1970
    float released = 0;      // requests
    float used = 0;          // tokens, by the answers that ended and told
    float refused = 0;       // 429s of the provider
    float remaining = 0;  // what is left of the limit that binds at that moment, in its unit; negative: nothing is left
    float limit = 0;      // its value; 0: no limit is known
    float reset_in = -1;  // seconds until it is reset; negative: the provider tells no such time
    std::uint32_t queued = 0;
    std::uint32_t in_flight = 0;
  };

  /// A request that ended.
  struct recent_request {
    double time;  // seconds since 1970
    access_record what;
  };

  void sample(const std::vector<scope_report>& scopes, time_point now, wall_time wall);
  void record(access_record r, wall_time now);

  /// The last requests, oldest first.
  const std::deque<recent_request>& recent() const { return recent_; }

  /// Points later than `after`, as JSON: {"scopes": [{"model", "credential", "time": [...], "used": [...], …}]}; one
  /// array for each field of a point.
  std::string json(std::uint32_t after) const;

  /// When the last sample was taken.
  std::uint32_t latest() const { return latest_; }

 private:
  struct track {
    std::deque<point> points;
    scope_totals before;
    std::uint32_t last_release = 0;
  };
  using key = std::pair<std::string, std::uint64_t>;  // model, credential

  void forget(std::uint32_t now);

  std::map<key, track> tracks_;
  std::deque<recent_request> recent_;
  std::uint32_t latest_ = 0;
};

}  // namespace cooldown::observe
