// TLS towards clients: the server's certificate, and the TLS stream of one connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>
#include <openssl/types.h>

#include "cooldown/config/config.hpp"
#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// The certificate, its key and the rules of the listening side.
class tls_server {
 public:
  /// Throws std::runtime_error that names the configuration key and the file that cannot be used.
  explicit tls_server(const config::server_tls_settings& settings);

  /// The certificate's expiry date, as text.
  std::string valid_until() const;

 private:
  friend class tls_stream;
  struct free_context {
    void operator()(SSL_CTX* c) const;
  };
  std::unique_ptr<SSL_CTX, free_context> context_;
};

/// Null if the settings have no certificate.
std::shared_ptr<tls_server> make_tls_server(const config::server_tls_settings& settings);

/// TLS on a non-blocking socket that the caller owns and waits for. Nothing here waits, and an idle connection holds no
/// buffer. (asio::ssl::stream holds 50 KB, and cannot distinguish a disconnect from a next request without reading its
/// bytes.)
class tls_stream {
 public:
  /// The result of an operation. After `needs_read` or `needs_write`, repeat the operation with the same bytes when the
  /// socket is ready for that.
  enum class state : std::uint8_t { done, needs_read, needs_write, ended, failed };

  /// Keeps alive what it needs of `server`.
  tls_stream(const tls_server& server, tcp_socket& socket);
  ~tls_stream();
  tls_stream(const tls_stream&) = delete;
  tls_stream& operator=(const tls_stream&) = delete;

  state handshake();

  /// `done`: at least one byte was read. `ended`: the peer has sent close_notify.
  state read(asio::mutable_buffer to, std::size_t& n);

  /// `done`: some of the bytes were written, at most one TLS record.
  state write(asio::const_buffer from, std::size_t& n);

  /// `done` if there are bytes to read; does not read them.
  state peek();

  /// Sends close_notify if that is possible without waiting; not on a connection on which something failed.
  void say_goodbye();

  /// The answer was cut short: close_notify must not be sent any more.
  void spoil() { spoilt_ = true; }

  /// The handshake failed because the client speaks plain HTTP.
  bool met_plain_http() const;

  /// Why the last operation failed.
  std::string reason() const;

  bool being_read = false;  // a read is waiting: others must not read from the socket
  unsigned reads_at_once = 0;

 private:
  state outcome(int result);

  tcp_socket& socket_;
  SSL* ssl_;
  unsigned long error_ = 0;  // from OpenSSL's queue
  int errno_ = 0;
  bool spoilt_ = false;
  bool said_goodbye_ = false;
};

}  // namespace cooldown::net
