// TLS towards the provider: verification, server name, session resumption.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "cooldown/config/config.hpp"
#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// A fingerprint of the trusted authorities: it changes when they do, even if their files keep their names.
std::string authorities_of(const config::tls_settings& settings);

/// One per provider and configuration. Keeps the last session, so that the next handshake is shorter.
class tls_client {
 public:
  /// Throws std::runtime_error that names the key and the file when ca_file cannot be read. `path`: of the upstream in
  /// the configuration.
  tls_client(const config::tls_settings& settings, const std::string& path);
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  asio::ssl::context& context() { return context_; }

  /// Before the handshake, sets the name to send and to check, and a session to resume. If the certificate is not
  /// accepted, the handshake fails, and `why` says why.
  error_code prepare(asio::ssl::stream<tcp_socket>& stream, const std::string& host, std::shared_ptr<std::string> why);

 private:
  struct session_cache;
  config::tls_settings settings_;
  std::unique_ptr<session_cache> sessions_;
  asio::ssl::context context_;
};

}  // namespace cooldown::net
