// The daemon's memory: gives each account what was learned of it before, and has written down what is new.
#pragma once

#include <string>

#include "cooldown/net/app.hpp"
#include "cooldown/state/keeper.hpp"
#include "cooldown/state/state_directory.hpp"

namespace cooldown::net {

class recorder {
 public:
  /// `at`: the database. `secret`: the key of the hashes that name accounts in it. Restores the limiters of all
  /// accounts, and starts the thread that writes. At a port of this machine another program may listen next time: what
  /// was learned of a provider there is restored only from a file that somebody chose. Problems go to the log; none of
  /// them ends the service. Lives less long than `of`, and takes a last snapshot at its end.
  recorder(app& of, const state::database_place& at, std::string secret);
  ~recorder();
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

 private:
  void restore(destination& d);
  /// Writes a moment after a request has ended.
  void arm();
  state::snapshot take();
  std::string account_of(const destination& d) const;

  app& app_;
  std::string secret_;
  state::ledger ledger_;
  state::keeper keeper_;
  steady_timer timer_;
  bool armed_ = false;
  bool stopped_ = false;
};

}  // namespace cooldown::net
