#include "cooldown/net/dial.hpp"

#include <algorithm>
#include <memory>

#include "cooldown/net/close_on_exec.hpp"
#include "cooldown/net/upstream_connection.hpp"

namespace cooldown::net {
namespace {

// RFC 8305 §5: the Connection Attempt Delay, and its lower bound.
constexpr duration usual_delay = std::chrono::milliseconds{250};
constexpr duration shortest_delay = std::chrono::milliseconds{10};

/// Connections that are being made side by side. Outlives the one who asked for them, until the last has ended.
struct race : std::enable_shared_from_this<race> {
  race(asio::io_context& context, dialled& result) : io(context), wake(context), out(&result) {}

  asio::io_context& io;
  steady_timer wake;  // cancelled when one has ended
  dialled* out;       // null: over
  bool won = false;
  std::size_t under_way = 0;
  std::vector<std::unique_ptr<tcp_socket>> sockets;

  void begin(const asio::ip::tcp::endpoint& to) {
    auto& socket = *sockets.emplace_back(std::make_unique<tcp_socket>(io));
    error_code ec;
    socket.open(to.protocol(), ec);
    if (ec) return failed(to, ec);
    close_on_exec(socket);
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    ++under_way;
    socket.async_connect(to, [self = shared_from_this(), &socket, to](error_code e) { self->ended(socket, to, e); });
  }

  void failed(const asio::ip::tcp::endpoint& to, error_code why) {
    out->to = to;
    out->failed = why;
    out->only_local_errors = out->only_local_errors && is_local(why);
  }

  void ended(tcp_socket& socket, const asio::ip::tcp::endpoint& to, error_code why) {
    --under_way;
    if (!out || won) return;
    if (why) {
      failed(to, why);
    } else {
      won = true;
      out->to = to;
      out->failed = {};
      out->socket = std::move(socket);
    }
    wake.cancel();
  }

  void over() {
    out = nullptr;
    error_code ignored;
    for (auto& s : sockets) s->close(ignored);
  }
};

/// However it ends, nobody is told of it any more.
struct end_of_race {
  race& of;
  ~end_of_race() { of.over(); }
};

}  // namespace

task<void> dial(const endpoints& addresses, duration within, interrupt& ctl, dialled& out) {
  auto const count = static_cast<duration::rep>(std::max<std::size_t>(1, addresses.size()));
  auto const delay = std::clamp(within / count, shortest_delay, usual_delay);
  auto const made = std::make_shared<race>(out.socket.get_executor().context(), out);
  end_of_race const end{*made};
  std::size_t next = 0;
  while (!made->won && !ctl.fired() && (next < addresses.size() || made->under_way > 0)) {
    if (next < addresses.size()) made->begin(addresses[next++]);
    if (made->under_way == 0) continue;
    made->wake.expires_at(next < addresses.size() ? steady_now() + delay : time_point::max());
    interrupt::watching<steady_timer> const watched(ctl, made->wake);
    co_await made->wake.async_wait(tok);
  }
  if (!made->won) out.failed = ctl.fired() ? asio::error::operation_aborted : out.failed;
}

}  // namespace cooldown::net
