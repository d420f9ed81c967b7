// A client's connection: its socket, bytes read ahead, and its interrupt.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "cooldown/exchange/body_pace.hpp"
#include "cooldown/net/client_port.hpp"
#include "cooldown/net/client_watch.hpp"
#include "cooldown/net/door.hpp"

namespace cooldown::net {

enum class role : std::uint8_t { proxy, admin };

/// The phase of a session, for those that may have to end it.
enum class phase : std::uint8_t { idle, reading, queued, exchanging, lingering };

class client_connection {
 public:
  /// `with`: TLS for this client; null: plain HTTP.
  client_connection(tcp_socket s, client_port& at, role serves, const tls_server* with = nullptr);
  ~client_connection();
  client_connection(const client_connection&) = delete;
  client_connection& operator=(const client_connection&) = delete;

  /// Reads at least one byte into `in`, at most `most`; fails when the interrupt has fired.
  task<error_code> read_some(std::size_t most);

  /// The same without waiting, where something has come and nothing was read yet. False: read_some() has to follow.
  bool read_at_once(std::size_t most, error_code& ec);

  /// Reads at least one byte into `to`.
  task<std::pair<error_code, std::size_t>> read_some(asio::mutable_buffer to);

  /// Writes everything. Gives up on a client that reads more slowly than body_pace allows with that `patience`.
  task<error_code> write(std::vector<asio::const_buffer>& buffers, duration patience);
  task<error_code> write(std::string_view text, duration patience);

  /// Writes what the socket takes now, and leaves the rest in `buffers`. True: nothing is left to be done, and `ec`
  /// tells how it ended. False: write_rest() has to follow. write() is both in one; this saves its frame where it
  /// matters.
  bool write_at_once(std::vector<asio::const_buffer>& buffers, error_code& ec);
  task<error_code> write_rest(std::vector<asio::const_buffer>& buffers, duration patience);

  /// The TLS handshake; fails when the interrupt has fired.
  task<error_code> shake_hands();

  /// Waits until there is something to read, or the connection has ended; reads nothing.
  task<error_code> await_tls_bytes();

  /// Continues in plain text.
  void drop_tls();

  /// Closes so that the client can read what was sent even if it is still sending: stops sending, then reads and drops
  /// for a bounded time (RFC 9112 §9.6).
  task<void> linger();

  /// Closes so that the client cannot mistake what it got for a complete answer.
  void abort();

  client_port& port;
  tcp_socket socket;
  std::unique_ptr<tls_stream> tls;  // null: plain text
  role serves;
  std::string peer;        // address, for the log
  network_id network = 0;  // network of the client's address
  boost::beast::flat_buffer in;
  interrupt ctl;
  client_watch watch;
  body_pace pace;          // of the client in reading its answer
  bool answering = false;  // part of an answer has been written since the request began
  phase where = phase::idle;
  time_point where_since = steady_now();  // start of the phase; valid while idle, reading or lingering

 private:
  bool cut_ = false;  // a write was cut short: anything written next would be taken for the rest

  void taken(std::size_t n);
  task<error_code> wait_for(tls_stream::state needed);
  task<error_code> wait_to_read(tls_stream::state needed);
  task<std::pair<error_code, std::size_t>> read_plain(asio::mutable_buffer to);
  task<error_code> write_rest_plain(std::span<asio::const_buffer> left, duration patience);
  task<std::pair<error_code, std::size_t>> read_tls(asio::mutable_buffer to);
  task<error_code> write_tls(std::span<asio::const_buffer> left, duration patience);
};

}  // namespace cooldown::net
