// Asks each account's provider once, before clients do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cooldown/config/config.hpp"
#include "cooldown/dialect/dialect.hpp"

namespace cooldown::net {

/// What came of one request to an account. Contains nothing of a key, and no text of the provider.
struct probed {
  std::string account;              // as config::upstream_settings::account_name()
  std::string failure;              // why there is no answer; empty: there is one
  unsigned status = 0;              // of the answer
  bool json = false;                // the answer says that it is JSON
  cooldown::dialect dialect{};      // as configured, of the host, or seen in the answer's headers
  std::vector<std::string> limits;  // in the answer's headers: "30 requests a minute"
};

/// Sends `GET /v1/models` to each account of each upstream, all at once, with its key, TLS settings and time limits.
/// Returns when all have ended, in the order of the configuration. Throws std::runtime_error if the TLS settings cannot
/// be used.
std::vector<probed> probe_all(const config::settings& settings);

}  // namespace cooldown::net
