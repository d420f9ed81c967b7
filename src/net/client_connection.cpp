#include "cooldown/net/client_connection.hpp"

#include <boost/asio/write.hpp>

namespace cooldown::net {
namespace {

constexpr duration longest_linger = std::chrono::seconds{2};
constexpr std::size_t most_lingering_bytes = 1024 * 1024;

/// Takes `n` written bytes off the front of the buffers.
void consume(std::span<asio::const_buffer>& buffers, std::size_t n) {
  std::size_t i = 0;
  while (i < buffers.size() && n >= buffers[i].size()) n -= buffers[i++].size();
  buffers = buffers.subspan(i);
  if (!buffers.empty()) buffers.front() += n;
}

}  // namespace

client_connection::client_connection(tcp_socket s, app& a, role r)
    : shared(a), socket(std::move(s)), serves(r), ctl(a.sweep, socket), watch(socket, ctl) {
  error_code ec;
  auto const endpoint = socket.remote_endpoint(ec);
  if (!ec) peer = endpoint.address().to_string();
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  socket.non_blocking(true, ec);
  shared.connections.insert(this);
  ++shared.stats.connections_open;
}

client_connection::~client_connection() {
  --shared.stats.connections_open;
  shared.connections.erase(this);
  if (shared.draining && shared.connections.empty() && shared.when_empty) shared.when_empty();
}

task<error_code> client_connection::read_some(std::size_t most) {
  auto const space = in.prepare(most);
  auto const [ec, n] = co_await read_some(space);
  in.commit(n);
  co_return ec;
}

task<std::pair<error_code, std::size_t>> client_connection::read_some(asio::mutable_buffer to) {
  using result = std::pair<error_code, std::size_t>;
  if (ctl.fired()) co_return result(asio::error::operation_aborted, 0);
  auto [ec, n] = co_await socket.async_read_some(to, tok);
  shared.stats.bytes_from_clients += n;
  co_return result(ec, n);
}

task<error_code> client_connection::write(std::vector<asio::const_buffer>& buffers, duration patience) {
  error_code ec;
  // A client that reads leaves room in the socket's buffer: no suspension then.
  auto const at_once = socket.write_some(buffers, ec);
  if (ec && ec != asio::error::would_block && ec != asio::error::interrupted) co_return ec;
  std::span<asio::const_buffer> left(buffers);
  consume(left, ec ? 0 : at_once);
  shared.stats.bytes_to_clients += ec ? 0 : at_once;
  while (!left.empty()) {
    if (ctl.fired()) co_return asio::error::operation_aborted;
    // Each piece taken renews the client's patience.
    ctl.set(patience);
    auto [failed, n] = co_await socket.async_write_some(left, tok);
    if (failed) co_return failed;
    shared.stats.bytes_to_clients += n;
    consume(left, n);
  }
  ctl.clear();
  co_return error_code{};
}

task<error_code> client_connection::write(std::string_view text, duration patience) {
  std::vector<asio::const_buffer> buffers{asio::buffer(text)};
  auto const ec = co_await write(buffers, patience);
  co_return ec;
}

task<void> client_connection::linger() {
  error_code ec;
  socket.shutdown(tcp_socket::shutdown_send, ec);
  if (ec) co_return;
  ctl.reset();
  ctl.set(longest_linger);
  std::size_t dropped = 0;
  while (dropped < most_lingering_bytes) {
    in.clear();
    auto const failed = co_await read_some(16 * 1024);
    if (failed) break;
    dropped += in.size();
  }
  ctl.clear();
}

void client_connection::abort() {
  error_code ec;
  socket.set_option(asio::socket_base::linger(true, 0), ec);
  socket.close(ec);
}

}  // namespace cooldown::net
