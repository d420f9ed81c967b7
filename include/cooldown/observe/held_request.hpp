// Requests that the limiter has released, and that wait all the same before they are sent: for the circuit breaker, or
// to be repeated after a failure.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string_view>

#include "cooldown/time.hpp"

namespace cooldown::observe {

struct held_request {
  std::uint64_t credential = 0;
  std::string_view model;  // of the exchange, which outlives this
  std::uint64_t client = 0;
  std::uint8_t urgency = 3;
  double cost = 0;
  time_point submitted{};
  std::optional<time_point> until{};  // nullopt: until the breaker allows it
};

using held_requests = std::list<held_request>;

/// On the list as long as this lives.
class held_mark {
 public:
  held_mark(held_requests& all, held_request r) : all_(all), at_(all.insert(all.end(), r)) {}
  ~held_mark() { all_.erase(at_); }
  held_mark(const held_mark&) = delete;
  held_mark& operator=(const held_mark&) = delete;

 private:
  held_requests& all_;
  held_requests::iterator at_;
};

}  // namespace cooldown::observe
