// Where conversations were last sent, so that the next request of each finds its prefix in a cache. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "cooldown/time.hpp"

namespace cooldown {

/// Bounded: the conversation that has been silent longest is dropped first. O(1) per operation.
class conversations {
 public:
  /// Longer than providers keep a prefix in their caches: 5 minutes to an hour.
  static constexpr duration lifetime = std::chrono::minutes{30};
  static constexpr std::size_t most = 16'384;

  /// A request whose prefix has this hash is sent to `destination`, an identifier of the caller's.
  void remember(std::uint64_t prefix, std::uint64_t destination, time_point now);

  /// Where the last request with that prefix was sent, within `lifetime`. nullopt: unknown.
  std::optional<std::uint64_t> find(std::uint64_t prefix, time_point now) const;

  std::size_t size() const { return by_prefix_.size(); }

 private:
  struct entry {
    std::uint64_t prefix;
    std::uint64_t destination;
    time_point last;
  };
  std::list<entry> order_;  // the longest silent first
  std::unordered_map<std::uint64_t, std::list<entry>::iterator> by_prefix_;
};

}  // namespace cooldown
