// The simulated provider: admits requests by quota, refuses some for other reasons, and shows its limits more or less
// correctly. The bench and cerebras-sim share it. Pure: `now` is in ns since the simulation's epoch and must not go
// back.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "cooldown/sim/admission.hpp"
#include "cooldown/sim/provider_settings.hpp"

namespace cooldown::sim {

/// An answer instead of a completion: a 429, 400 or 503.
struct provider_refusal {
  unsigned status = 429;
  api_error error;
  std::string body{};                // instead of the error, in another dialect
  std::vector<rate_header> headers;  // including retry-after, if it is sent
  std::optional<limit_id> limit;     // the limit that refused
};

/// The request is admitted, and its answer carries these headers.
struct grant {
  reservation held;
  std::vector<rate_header> headers;
};

/// Tokens in that many characters of input; random if the ratio varies.
double tokens_in(const provider_settings& settings, double characters, std::mt19937_64& random);

class provider {
 public:
  /// `settings.rules.wall_at_epoch` is the wall clock at time 0. Changes of limits are at fractions of `length`.
  provider(const provider_settings& settings, const std::vector<model_spec>& models, bool any_model, nanoseconds length,
           std::uint64_t seed);

  const provider_settings& settings() const { return settings_; }
  admission& quotas() { return quotas_; }

  /// A request arrives. `bad`: it is invalid.
  std::variant<grant, provider_refusal> arrive(model_quota& quota, const request_facts& facts, bool bad,
                                               nanoseconds now);

  /// When limits change or others use quota next, if ever.
  std::optional<nanoseconds> next_event() const;
  /// Performs all such events until `now`. Returns true if something has changed.
  bool advance(nanoseconds now);

  /// As model_quota::next_admission, but including refusals for other reasons; max() if only the end of another request
  /// can help.
  std::optional<nanoseconds> next_admission(model_quota& quota, const request_facts& facts, nanoseconds now) const;

  /// Random draws for callers without their own: whether a request is bad, whether an answer reports its usage, how
  /// late its head arrives, how many tokens its input has.
  bool draw_bad() { return chance(settings_.bad_requests); }
  bool draw_without_usage() { return chance(settings_.usage_missing); }
  nanoseconds draw_lateness();
  std::int64_t draw_tokens(std::int64_t characters);

 private:
  bool chance(double share);
  bool is_full(const model_quota& quota) const {
    return settings_.concurrency > 0 && quota.counters().in_flight >= settings_.concurrency;
  }
  bool overloaded(const model_quota& quota, nanoseconds now);
  provider_refusal load_refusal(model_quota& quota, nanoseconds now);
  provider_refusal error_answer(model_quota& quota, unsigned status, const api_error& error, nanoseconds now);
  provider_refusal quota_refusal(const model_quota& quota, const refused& no, const request_facts& facts,
                                 nanoseconds now);
  std::vector<quota_reading> told(const model_quota& quota, std::vector<quota_reading> readings, nanoseconds now);
  std::vector<rate_header> shown(const model_quota& quota, const std::vector<quota_reading>& readings,
                                 header_style style, nanoseconds now, bool stream = false);
  void spend();
  bool take_foreign(nanoseconds now);

  struct snapshot {
    nanoseconds taken{0};
    std::vector<quota_reading> readings;
  };
  struct due_change {
    nanoseconds at;
    double factor;
  };

  provider_settings settings_;
  admission quotas_;
  std::vector<due_change> changes_;  // the next one last
  std::optional<nanoseconds> next_foreign_;
  double foreign_wanted_ = 0;                                   // requests
  std::unordered_map<const model_quota*, snapshot> snapshots_;  // if headers are stale
  bool anomaly_told_ = false;
  std::mt19937_64 random_;  // for headers
  std::mt19937_64 fate_;    // for errors
};

}  // namespace cooldown::sim
