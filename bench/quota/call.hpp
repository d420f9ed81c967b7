// One request of an application, and the provider's answer to it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/sim/provider.hpp"
#include "cooldown/text/header_view.hpp"

#include "quota/workload.hpp"

namespace cooldown::bench {

constexpr duration first_token = std::chrono::milliseconds{50};
constexpr duration overhead = std::chrono::milliseconds{100};  // added to the time of an answer's tokens

/// Lives from the application's request to its answer, through all retries of its SDK.
struct call {
  std::uint64_t serial = 0;  // in the order of arrival
  const client_group* group = nullptr;
  std::size_t connection = 0;
  std::uint64_t client = 0;
  int model = 0;
  request_size size;
  sim::request_facts facts;
  int output = 0;
  bool stream = false;
  bool bad = false;                  // the provider answers 400
  bool without_usage = false;        // its answer has no `usage`
  std::optional<duration> patience;  // its client disconnects after this time

  time_point began{};
  time_point submitted{};       // most recently
  time_point sent{};            // most recently
  unsigned repetitions = 0;     // retries by the SDK
  unsigned repeats = 0;         // retries by our proxy, since it was submitted
  bool with_scheduler = false;  // submitted, and not answered yet
  bool over = false;
  std::optional<time_point> admitted;
  std::optional<sim::reservation> held;  // admitted, not yet settled
  std::optional<double> forecast;        // seconds from `submitted`
  std::size_t at = 0;                    // its destination, see destinations_of()
  std::uint64_t failed_at = 0;           // bits of the destinations that have failed it since it was submitted
  ticket_id ticket = 0;                  // of our limiter there
  double believed = 0;                   // units believed to be left when it was sent; for traces

  double tokens() const { return static_cast<double>(facts.input_tokens + output); }
  /// Time from its admission.
  duration generation() const { return overhead + group->time_per_token * output / group->choices; }
  int generated_by(time_point t) const {
    auto const since = seconds_of(t - *admitted - first_token) / seconds_of(group->time_per_token) * group->choices;
    return static_cast<int>(std::clamp(since, 0.0, static_cast<double>(output)));
  }
};
using call_ptr = std::shared_ptr<call>;

using rate_headers = std::vector<sim::rate_header>;

inline std::vector<header_field> view(const rate_headers& from) {
  std::vector<header_field> fields;
  fields.reserve(from.size());
  for (auto const& h : from) fields.push_back({h.name, h.value});
  return fields;
}

/// A 429, 400, 401 or 503, or no connection (status 0), and its Retry-After as the proxy reads it.
struct refusal : sim::provider_refusal {
  std::optional<duration> retry_after;

  bool retry_helps() const { return status != 400 && status != 401; }
};

}  // namespace cooldown::bench
