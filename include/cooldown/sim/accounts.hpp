// The simulated accounts: each accepted key has one, with quotas and counters of its own.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "cooldown/sim/simulation.hpp"

namespace cooldown::sim {

class accounts {
 public:
  /// Without accepted keys there is one account, which every key, or none, belongs to.
  explicit accounts(const sim_options& options);

  /// Connections are counted here: who opens one has not said yet whose it is.
  simulation& first() { return all_.front().second; }

  /// The account of this value of Authorization, or nullptr if its key is not accepted.
  simulation* find(std::string_view authorization);

 private:
  std::deque<std::pair<std::string, simulation>> all_;  // by the value of Authorization; empty: any
};

}  // namespace cooldown::sim
