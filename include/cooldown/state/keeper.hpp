// Writes the daemon's memory to its database in a thread of its own: nobody waits for a disk.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cooldown/state/store.hpp"

namespace cooldown::state {

/// What is written at once.
struct snapshot {
  usage_rows used;
  std::vector<account_state> learned;
  wall_time at{};
};

/// Errors are told once until a write succeeds again, and what could not be written is written then. A damaged file is
/// moved aside; one of a newer program is left alone.
class keeper {
 public:
  /// `tell` gets messages for the log; after start() in the keeper's thread, and it must not throw.
  keeper(std::string file, const retention& keep, std::function<void(const std::string&)> tell);
  /// Writes what is left, for at most `longest_end`.
  ~keeper();
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;

  static constexpr auto longest_end = std::chrono::seconds{5};

  /// What was learned of an account before; empty if nothing is known. Only before start().
  learned_state learned(const std::string& account);

  /// Starts the thread. Throws std::system_error.
  void start();

  /// Never waits. Usage adds up until it is written; of what was learned, the latest counts.
  void submit(snapshot what);

 private:
  struct work;
  std::shared_ptr<work> work_;
  std::thread thread_;
};

}  // namespace cooldown::state
