// The parts of the daemon, wired together. main() creates one; one thread uses it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cooldown/net/client_port.hpp"
#include "cooldown/net/upstreams.hpp"
#include "cooldown/observe/report.hpp"

namespace cooldown::net {

class app {
 public:
  /// Throws std::runtime_error when the TLS settings cannot be used. `salt`: of the hashes of keys and clients; empty:
  /// a random one.
  app(asio::io_context& context, const config::settings& settings, observe::log& log, const std::string& salt = {});

  /// Applies new settings. Requests that have been sent finish under the old ones; each new attempt goes to the current
  /// provider with its key. Throws and changes nothing if the settings cannot be used.
  void reconfigure(const config::settings& settings);

  observe::sources sources() const;

  asio::io_context& io;
  deadline_sweep sweep;
  net::telemetry telemetry;
  net::upstreams upstreams;
  client_port port;
  std::function<std::vector<std::string>()> reload;  // reads the configuration again; returns its errors

 private:
  app(asio::io_context& context, settings_ptr settings, observe::log& log, const std::string& salt);
};

}  // namespace cooldown::net
