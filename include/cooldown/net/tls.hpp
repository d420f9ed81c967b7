// TLS towards the upstream: verification, server name, resumption.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "cooldown/config/config.hpp"
#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// What stands for the authorities that are trusted under the settings: it changes when they do, also where their files
/// keep their names.
std::string authorities_of(const config::tls_settings& settings);

/// One per upstream and configuration. Keeps the last session, so that the next handshake is short.
class tls_client {
 public:
  /// Throws std::runtime_error that names the file when ca_file cannot be read.
  explicit tls_client(const config::tls_settings& settings);
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  asio::ssl::context& context() { return context_; }

  /// Sets the name to ask for and to check, and a session to resume, before the handshake. If the certificate is not
  /// acceptable, the handshake fails and `why` says why.
  error_code prepare(asio::ssl::stream<tcp_socket>& stream, const std::string& host, std::shared_ptr<std::string> why);

 private:
  struct session_cache;
  config::tls_settings settings_;
  std::unique_ptr<session_cache> sessions_;
  asio::ssl::context context_;
};

}  // namespace cooldown::net
