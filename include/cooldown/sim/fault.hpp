// Faults on demand: what goes wrong, how often, and for which request.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace cooldown::sim {

enum class fault_kind : std::uint8_t {
  // Instead of an answer; costs no quota.
  status,   // =CODE: that status with an error body
  load,     // 429 queue_exceeded: capacity, not quota
  payment,  // 402
  reset,    // RST before any byte
  stall,    // never answers
  garbage,  // bytes that are not HTTP
  // In the answer of an admitted request.
  delay,             // =MS: the head is delayed
  reset_mid_stream,  // =CHUNKS: RST after that many content chunks (default 3), or after half a body
  close_mid_body,    // the same with FIN
  bad_chunk,         // malformed chunk after the first content chunk
  in_stream_error,   // =CHUNKS: an error event after that many content chunks; 500 if not streaming
  bad_headers,       // rate-limit headers that no parser can read
  no_usage,          // no usage in the answer
};

inline constexpr std::size_t fault_kind_count = 13;

struct fault {
  fault_kind kind = fault_kind::status;
  int argument = 0;
  double probability = 1;
};

// The faults that hit one request: the argument of each.
class fault_plan {
 public:
  void add(const fault& f) { arguments_[static_cast<std::size_t>(f.kind)] = f.argument; }
  bool has(fault_kind kind) const { return arguments_[static_cast<std::size_t>(kind)].has_value(); }
  bool any() const;
  int argument(fault_kind kind) const { return arguments_[static_cast<std::size_t>(kind)].value_or(0); }

 private:
  std::array<std::optional<int>, fault_kind_count> arguments_{};
};

// Reads "KIND[=ARG][@PROBABILITY]". On failure returns nothing, and `error` says why.
std::optional<fault> parse_fault(std::string_view text, std::string& error);

// Draws the faults of one request from `faults`, and adds those of its X-Sim-Fault header ("KIND[=ARG], ..."); invalid
// ones are ignored.
fault_plan draw_faults(const std::vector<fault>& faults, std::string_view header, std::mt19937_64& random);

}  // namespace cooldown::sim
