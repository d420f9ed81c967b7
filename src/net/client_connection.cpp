#include "cooldown/net/client_connection.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/post.hpp>

#include "cooldown/net/buffers.hpp"
#include "cooldown/net/memory.hpp"

namespace cooldown::net {
namespace {

// Of a client that is still sending when it has its answer, as nginx has them (lingering_time, lingering_timeout).
constexpr duration longest_linger = std::chrono::seconds{30};
constexpr duration longest_silence = std::chrono::seconds{2};
constexpr std::size_t tls_record = 16 * 1024;
constexpr unsigned most_reads_at_once = 16;  // before others get their turn

// Takes what nobody reads. Who is refused because no memory is left needs none to be let go.
thread_local std::array<char, 64 * 1024> nowhere;

}  // namespace

client_connection::client_connection(tcp_socket s, client_port& at, role r, const tls_server* with)
    : port(at),
      socket(std::move(s)),
      tls(with ? std::make_unique<tls_stream>(*with, socket) : nullptr),
      serves(r),
      ctl(at.sweep, socket),
      watch(tls.get(), at.sweep, ctl) {
  error_code ec;
  auto const endpoint = socket.remote_endpoint(ec);
  if (!ec) {
    peer = endpoint.address().to_string();
    network = network_of(endpoint.address());
  }
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  socket.non_blocking(true, ec);
  port.connections.insert(this);
  ++port.telemetry.stats.connections_open;
}

client_connection::~client_connection() {
  if (cut_) {
    // Closed in order, all that the client has not taken would stay in the kernel for minutes.
    abort();
  } else if (tls) {
    tls->say_goodbye();
  }
  --port.telemetry.stats.connections_open;
  port.connections.erase(this);
  if (port.bodies.has_emptied()) give_memory_back();
  if (port.draining && port.connections.empty() && port.when_empty) port.when_empty();
}

task<error_code> client_connection::read_some(std::size_t most) {
  auto const space = in.prepare(most);
  if (tls) {
    auto const [failed, read] = co_await read_tls(space);
    in.commit(read);
    co_return failed;
  }
  if (ctl.fired()) co_return asio::error::operation_aborted;
  auto [ec, n] = co_await socket.async_read_some(space, tok);
  port.telemetry.stats.bytes_from_clients += n;
  in.commit(n);
  co_return ec;
}

bool client_connection::read_at_once(std::size_t most, error_code& ec) {
  // What is left of a former read would let one client keep all others from their turn.
  if (tls || in.size() > 0 || ctl.fired()) return false;
  auto const n = socket.read_some(in.prepare(most), ec);
  bool const nothing = ec == asio::error::would_block || ec == asio::error::interrupted;
  if (nothing) ec = {};
  port.telemetry.stats.bytes_from_clients += n;
  in.commit(n);
  return !nothing;
}

// No coroutines themselves: what TLS needs would be in the frames of plain connections too.

task<std::pair<error_code, std::size_t>> client_connection::read_some(asio::mutable_buffer to) {
  return tls ? read_tls(to) : read_plain(to);
}

task<error_code> client_connection::write_rest(std::vector<asio::const_buffer>& buffers, duration patience) {
  return tls ? write_tls(buffers, patience) : write_rest_plain(buffers, patience);
}

task<std::pair<error_code, std::size_t>> client_connection::read_plain(asio::mutable_buffer to) {
  using result = std::pair<error_code, std::size_t>;
  if (ctl.fired()) co_return result(asio::error::operation_aborted, 0);
  auto [ec, n] = co_await socket.async_read_some(to, tok);
  port.telemetry.stats.bytes_from_clients += n;
  co_return result(ec, n);
}

bool client_connection::write_at_once(std::vector<asio::const_buffer>& buffers, error_code& ec) {
  if (tls) return false;
  if (cut_) ec = asio::error::broken_pipe;
  if (ec) return true;
  // A client that reads leaves room in the socket's buffer: no suspension then.
  auto const n = socket.write_some(buffers, ec);
  bool const full = ec == asio::error::would_block || ec == asio::error::interrupted;
  if (ec && !full) return true;
  ec = {};
  if (full) return false;
  taken(n);
  std::span<asio::const_buffer> left(buffers);
  consume(left, n);
  buffers.erase(buffers.begin(), buffers.end() - static_cast<std::ptrdiff_t>(left.size()));
  cut_ = !buffers.empty();
  if (!cut_) ctl.clear();
  return !cut_;
}

task<error_code> client_connection::write(std::vector<asio::const_buffer>& buffers, duration patience) {
  error_code ec;
  if (!write_at_once(buffers, ec)) ec = co_await write_rest(buffers, patience);
  co_return ec;
}

task<error_code> client_connection::write_rest_plain(std::span<asio::const_buffer> left, duration patience) {
  while (!left.empty()) {
    if (ctl.fired()) co_return asio::error::operation_aborted;
    auto const since = steady_now();
    ctl.set_for_taking(pace.left(patience));
    auto [failed, n] = co_await socket.async_write_some(left, tok);
    if (failed) co_return failed;
    pace.waited(steady_now() - since);
    taken(n);
    consume(left, n);
    cut_ = true;
  }
  cut_ = false;
  ctl.clear();
  co_return error_code{};
}

void client_connection::taken(std::size_t n) {
  port.telemetry.stats.bytes_to_clients += n;
  pace.moved(n);
  if (n > 0) answering = true;
}

task<error_code> client_connection::write(std::string_view text, duration patience) {
  std::vector<asio::const_buffer> buffers{asio::buffer(text)};
  auto const ec = co_await write(buffers, patience);
  co_return ec;
}

task<void> client_connection::linger() {
  error_code ec;
  if (tls) tls->say_goodbye();
  socket.shutdown(tcp_socket::shutdown_send, ec);
  if (ec) co_return;
  where = phase::lingering;
  where_since = steady_now();
  auto const until = where_since + (port.draining ? longest_silence : longest_linger);
  ctl.reset();
  in = boost::beast::flat_buffer();
  auto const scratch = asio::buffer(nowhere);
  for (auto now = where_since; now < until; now = steady_now()) {
    ctl.set(std::min(longest_silence, until - now));
    auto const [failed, n] = co_await read_some(scratch);
    if (failed) break;
  }
  ctl.clear();
}

void client_connection::abort() {
  error_code ec;
  if (tls) tls->spoil();
  socket.set_option(asio::socket_base::linger(true, 0), ec);
  socket.close(ec);
}

task<error_code> client_connection::wait_for(tls_stream::state needed) {
  if (ctl.fired()) co_return asio::error::operation_aborted;
  auto const what = needed == tls_stream::state::needs_write ? tcp_socket::wait_write : tcp_socket::wait_read;
  auto [ec] = co_await socket.async_wait(what, tok);
  if (ctl.fired()) co_return asio::error::operation_aborted;
  co_return ec;
}

task<error_code> client_connection::wait_to_read(tls_stream::state needed) {
  tls->being_read = true;
  tls->reads_at_once = 0;
  auto const ec = co_await wait_for(needed);
  tls->being_read = false;
  co_return ec;
}

task<error_code> client_connection::shake_hands() {
  for (;;) {
    auto const s = tls->handshake();
    if (s == tls_stream::state::done) co_return error_code{};
    if (s == tls_stream::state::ended || s == tls_stream::state::failed) co_return asio::error::connection_aborted;
    auto const ec = co_await wait_for(s);
    if (ec) co_return ec;
  }
}

task<error_code> client_connection::await_tls_bytes() {
  for (;;) {
    auto const s = tls->peek();
    if (s == tls_stream::state::done) co_return error_code{};
    if (s == tls_stream::state::ended || s == tls_stream::state::failed) co_return asio::error::eof;
    auto const ec = co_await wait_to_read(s);
    if (ec) co_return ec;
  }
}

task<std::pair<error_code, std::size_t>> client_connection::read_tls(asio::mutable_buffer to) {
  using result = std::pair<error_code, std::size_t>;
  if (ctl.fired()) co_return result(asio::error::operation_aborted, 0);
  if (++tls->reads_at_once > most_reads_at_once) {
    tls->reads_at_once = 0;
    co_await asio::post(socket.get_executor(), tok);
  }
  for (;;) {
    std::size_t n = 0;
    auto const s = tls->read(to, n);
    if (s == tls_stream::state::done) {
      port.telemetry.stats.bytes_from_clients += n;
      co_return result(error_code{}, n);
    }
    if (s == tls_stream::state::ended || s == tls_stream::state::failed) co_return result(asio::error::eof, 0);
    auto const ec = co_await wait_to_read(s);
    if (ec) co_return result(ec, 0);
  }
}

task<error_code> client_connection::write_tls(std::span<asio::const_buffer> left, duration patience) {
  std::vector<char> joined;  // small pieces, as one record
  while (!left.empty()) {
    auto piece = left.front();
    if (left.size() > 1 && piece.size() < tls_record) {
      joined.resize(std::min(asio::buffer_size(left), tls_record));
      piece = asio::buffer(joined.data(), asio::buffer_copy(asio::buffer(joined), left));
    }
    consume(left, piece.size());
    while (piece.size() > 0) {
      std::size_t n = 0;
      auto const s = tls->write(piece, n);
      taken(n);
      piece += n;
      if (s == tls_stream::state::done) continue;
      error_code ec = asio::error::broken_pipe;
      if (s == tls_stream::state::needs_read || s == tls_stream::state::needs_write) {
        auto const since = steady_now();
        ctl.set_for_taking(pace.left(patience));
        ec = co_await wait_for(s);
        pace.waited(steady_now() - since);
      }
      if (!ec) continue;
      tls->spoil();
      cut_ = true;
      co_return ec;
    }
  }
  ctl.clear();
  co_return error_code{};
}

void client_connection::drop_tls() {
  watch.drop_tls();
  tls.reset();
}

}  // namespace cooldown::net
