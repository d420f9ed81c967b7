// All destinations of requests.
#pragma once

#include <memory>
#include <vector>

#include "cooldown/net/destination.hpp"

namespace cooldown::net {

class upstreams {
 public:
  /// Throws std::runtime_error if the TLS settings cannot be used.
  upstreams(asio::io_context& io, deadline_sweep& sweep, settings_ptr settings);

  /// What new settings need, for apply(). Throws and changes nothing if the settings cannot be used.
  std::vector<upstream_ptr> prepare(const settings_ptr& settings);
  void apply(std::vector<upstream_ptr> prepared);

  /// The destination of requests that no other can serve.
  destination& first() const { return *all_.front(); }

  /// Number of requests that wait, for quota or for a provider.
  std::size_t queue_length() const;

  /// Closes the connections that nobody uses.
  void close_idle();

 private:
  std::vector<std::unique_ptr<destination>> all_;  // never empty
};

}  // namespace cooldown::net
