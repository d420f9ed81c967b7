// The last fifteen minutes, second by second, and the last requests, for the live page. Takes the time as an argument,
// does no I/O.
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
  static constexpr std::size_t most_scopes = 64;  // the most recently used ones
  static constexpr std::size_t most_recent = 100;

  /// What happened in a scope since the previous point, and its state. 36 bytes.
  struct point {
    std::uint32_t time = 0;  // seconds since 1970
    float released = 0;      // requests
    float used = 0;          // tokens, of finished answers that reported usage
    float refused = 0;       // 429s of the provider
    float remaining = 0;     // left of the binding limit, in its unit; may be negative
    float limit = 0;         // value of that limit; 0: no limit is known
    float reset_in = -1;     // seconds until its reset; negative: unknown
    std::uint32_t queued = 0;
    std::uint32_t in_flight = 0;
  };

  /// A finished request.
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
