// Requests that wait although the limiter has released them: for the circuit breaker, or before a retry.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string_view>

#include "cooldown/time.hpp"

namespace cooldown::observe {

struct held_request {
  std::uint64_t credential = 0;
  std::string_view model;  // owned by the exchange, which outlives this
  std::uint64_t client = 0;
  std::uint8_t urgency = 3;
  double cost = 0;
  time_point submitted{};
  std::optional<time_point> until{};  // nullopt: until the breaker gives permission
};

using held_requests = std::list<held_request>;

/// Keeps an entry in the list during its lifetime.
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
