// Everything that a limiter has learned, as plain values, to be kept over a restart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/dialect/provider_clock.hpp"
#include "cooldown/limit/learned_limit.hpp"

namespace cooldown {

/// Pauses and backoff.
struct learned_pacing {
  age last_release, last_heard, last_refusal, last_burst;
  unsigned refused_probes = 0;
  unsigned rounds = 0;
  age backed_off_until, hold_until, hold_set;
  bool cautious = false;
  unsigned capacity_rounds = 0;
  age round_until, capacity_until, capacity_word;
  duration spacing{};
};

/// The provider's concurrency limit.
struct learned_concurrency {
  unsigned limit = 0;  // 0: none is known
  unsigned proven = 0;
  unsigned step = 1;
  unsigned failed_steps = 0;
  double luck = 0;
  age changed_at, refused_at;
  duration answer_time{}, refusal_time{};
};

/// One kind of characters, or images.
struct learned_input {
  double ratio = 0;  // tokens per unit
  double least = 0;
  double seen = 0;
};

/// How outputs are charged.
struct learned_output {
  std::optional<double> missing_maximum;
  double missing_maximum_seen = 0;
  age missing_maximum_until;
  std::optional<double> cap;
  age cap_until;
  double cap_from = 0;
  double cap_to = 0;
  bool cap_supported = false;
  unsigned doubts = 0;
  age charged_until;
};

struct learned_costs {
  std::array<learned_input, 5> inputs;
  double inputs_observed = 0;
  learned_output output;
  double use_share = 1;
  std::uint64_t uses = 0;
};

/// How much of their reservations requests use.
struct learned_use {
  double share = 1;
  double mean = 0;
  double share_error = 0;
  double mean_error = 0;
  double largest = 0;
  unsigned seen = 0;
};

/// A client of one class. `ahead`: how far it is ahead of its fair share, in tokens divided by its weight.
struct learned_client {
  std::uint8_t urgency = 3;
  std::uint64_t client = 0;
  double weight = 1;
  double ahead = 0;
  learned_use use;
};

struct learned_shares {
  learned_use use;  // of all clients
  std::vector<learned_client> clients;
};

/// A second bucket behind the main limit's name.
struct learned_total {
  double factor = 0;  // 0: none seen
  double last_share = 0;
  age proven_at;
};

/// All limits of a credential and model, and their pacing.
struct learned_quota {
  std::vector<learned_limit> limits;
  std::vector<spent_part> requests, tokens;  // within the last minute, whether headers or static limits decide
  std::array<learned_total, 3> totals;       // of minute, hour and day
  double proven_requests = 0;                // the most that were admitted within a minute
  bool answered = false;
  age last_update;
  age careful_until;
  learned_pacing pacing;
  learned_concurrency concurrency;
};

struct learned_scope {
  std::string model;
  std::uint64_t credential = 0;
  age last_used, last_refusal;
  bool succeeded = false;  // the provider has answered 2xx
  learned_clock clock;
  learned_costs costs;
  learned_shares shares;
  learned_quota quota;
};

struct learned_state {
  wall_time saved_at{};
  std::vector<learned_scope> scopes;  // most recently used first
};

}  // namespace cooldown
