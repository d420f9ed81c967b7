// The listening side of the simulator: one thread, one coroutine per connection.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "cooldown/sim/accounts.hpp"

namespace cooldown::sim {

class server {
 public:
  // Binds and listens; throws an exception that says why it cannot. Serves while `context` runs. To end, stop the
  // context. The server must outlive the context's run().
  server(boost::asio::io_context& context, sim_options options);

  std::uint16_t port() const { return port_; }

  // "http://127.0.0.1:9090", or https.
  std::string url() const;

 private:
  // Shared with the connections, which end after this object when the context is destroyed.
  std::shared_ptr<accounts> worlds_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  std::string host_;
  std::uint16_t port_ = 0;
};

}  // namespace cooldown::sim
