// Plain counters of the io thread. Nothing here is atomic, because nobody else writes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace cooldown::observe {

struct stats {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t accept_errors = 0;
  std::uint64_t requests_in_progress = 0;
  std::uint64_t bytes_from_clients = 0;
  std::uint64_t bytes_to_clients = 0;
  std::uint64_t upstream_attempts = 0;
  std::uint64_t upstream_retries = 0;
  std::uint64_t upstream_failures = 0;  // attempts without an acceptable response head
  std::uint64_t clients_gone = 0;       // left before their answer was complete
  std::uint64_t answers_cut = 0;        // broke off in mid-body
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::map<unsigned, std::uint64_t> responses;                 // by status, as the client saw it
  std::map<std::string, std::uint64_t, std::less<>> refusals;  // ours, by code (outcome.hpp): a bounded set

  /// Waits of released tickets, in seconds; the last bucket is unbounded.
  static constexpr std::array<double, 10> wait_bounds{0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 600};
  std::array<std::uint64_t, wait_bounds.size() + 1> waits{};
  double wait_sum = 0;

  void record_wait(double seconds) {
    std::size_t i = 0;
    while (i < wait_bounds.size() && seconds > wait_bounds[i]) ++i;
    ++waits[i];
    wait_sum += seconds;
  }
};

}  // namespace cooldown::observe
