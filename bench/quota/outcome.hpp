// The outcome of an experiment, and the figures computed from it.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "cooldown/time.hpp"

namespace cooldown::bench {

struct client_total {
  int model = 0;
  double weight = 1;
  double tokens = 0;     // served
  double asked = 0;      // in tokens
  bool endless = false;  // it would always use more
};

struct outcome {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;  // 429s of the provider
  std::uint64_t non_200 = 0;  // answers to clients
  std::uint64_t lost = 0;     // requests given up after their retries
  double tokens = 0;          // used at the provider, by us
  std::vector<double> waits;  // seconds
  std::vector<double> watched_waits;
  std::vector<double> forecast_errors;  // relative
  std::vector<double> lateness;         // seconds
  std::map<std::uint64_t, client_total> clients;
  std::uint64_t most_refused_at_once = 0;
  std::uint64_t spilled = 0;          // admitted elsewhere than at the first upstream
  std::uint64_t sooner_at_first = 0;  // of them, released later than a younger one, not smaller, at the first upstream

  /// A 429 of the provider to an attempt sent at `sent`, which arrives at `heard`. 429s to attempts that were sent
  /// before the first of them arrived count as refused at once.
  void was_refused(time_point sent, time_point heard);
  void waited(double seconds, bool watched);
  void was_forecast(double seconds, double actual);

 private:
  time_point burst_heard_{};
  std::uint64_t burst_ = 0;
};

enum class figure : std::uint8_t {
  share,
  refusals,
  non_200,
  lost,
  admitted,
  p50,
  p99,
  light_p95,
  jain,
  forecast_p50,
  forecast_p90,
  late_p99,
  at_once,
  longest,
  spilled,
  sooner_at_first,
};
inline constexpr std::size_t figure_count = 16;

struct figure_text {
  const char* title;  // in the table; nullptr: only in JSON
  const char* field;  // in a CSV file; nullptr: only in JSON
  const char* key;    // in JSON
  int decimals;
  bool high_is_good;
};
const figure_text& text_of(figure f);

inline constexpr double not_applicable = std::numeric_limits<double>::quiet_NaN();

class figures {
 public:
  figures() { values_.fill(not_applicable); }
  double& operator[](figure f) { return values_[static_cast<std::size_t>(f)]; }
  double operator[](figure f) const { return values_[static_cast<std::size_t>(f)]; }

 private:
  std::array<double, figure_count> values_;
};

/// `best_tokens`: tokens that the omniscient scheduler used of the same quota.
figures figures_of(const outcome& o, double best_tokens, bool unequal);

figures mean_of(const std::vector<figures>& runs);
figures worst_of(const std::vector<figures>& runs);

/// Jain's index: 1 if all clients got the same part of their weighted max-min fair share; 1/n if one of n got
/// everything.
double jain_index(const std::map<std::uint64_t, client_total>& clients);

}  // namespace cooldown::bench
