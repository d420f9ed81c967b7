// TLS towards clients: the certificate we show, and the records of one connection.
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
  /// Throws std::runtime_error that names the configuration key and the file when one cannot be used.
  explicit tls_server(const config::server_tls_settings& settings);

  /// The end of the certificate's life, as text.
  std::string valid_until() const;

 private:
  friend class tls_stream;
  struct free_context {
    void operator()(SSL_CTX* c) const;
  };
  std::unique_ptr<SSL_CTX, free_context> context_;
};

/// Null when the settings ask for none.
std::shared_ptr<tls_server> make_tls_server(const config::server_tls_settings& settings);

/// TLS on a non-blocking socket that somebody else owns and waits for: nothing here waits, and while a connection is
/// idle nothing here holds a buffer. (asio::ssl::stream holds 50 KB, and cannot tell a departure from a next request
/// without taking its bytes.)
class tls_stream {
 public:
  /// What became of an operation. To go on after `needs_read` or `needs_write`: the same operation again, with the same
  /// bytes, when the socket is ready for that.
  enum class state : std::uint8_t { done, needs_read, needs_write, ended, failed };

  /// What the stream needs of the server it keeps alive.
  tls_stream(const tls_server& server, tcp_socket& socket);
  ~tls_stream();
  tls_stream(const tls_stream&) = delete;
  tls_stream& operator=(const tls_stream&) = delete;

  state handshake();

  /// At least one byte when done. `ended`: the peer said that it has nothing more to say.
  state read(asio::mutable_buffer to, std::size_t& n);

  /// Some of the bytes when done: at most a record of them.
  state write(asio::const_buffer from, std::size_t& n);

  /// `done` when there are bytes to read, which stay there.
  state peek();

  /// close_notify, if it goes at once; not on a connection on which something failed.
  void say_goodbye();

  /// What was sent is not all that was to be sent: no goodbye any more.
  void spoil() { spoilt_ = true; }

  /// The handshake failed because the client speaks plain HTTP.
  bool met_plain_http() const;

  /// Why the last operation failed.
  std::string reason() const;

  bool being_read = false;  // somebody waits to read: others must not take the bytes off the socket
  unsigned reads_at_once = 0;

 private:
  state outcome(int result);

  tcp_socket& socket_;
  SSL* ssl_;
  unsigned long error_ = 0;  // of OpenSSL's queue
  int errno_ = 0;
  bool spoilt_ = false;
  bool said_goodbye_ = false;
};

}  // namespace cooldown::net
