// Whatever a connection to the provider waits for, ending the wait ends it, at whatever step it is.
#include "cooldown/net/upstream_connection.hpp"

#include <array>
#include <memory>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "cooldown/net/tls.hpp"

#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;

namespace {

constexpr int most_steps = 12;

struct UpstreamConnection : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
  tcp_socket client{io};
  interrupt ctl{sweep, client};
  std::shared_ptr<tls_client> tls = std::make_shared<tls_client>(config::tls_settings{}, "cerebras");
  bool ended = false;

  /// A connection over TLS that shakes hands when it is used first.
  std::unique_ptr<upstream_connection> over_tls(tcp_socket near) {
    auto c = std::make_unique<upstream_connection>(tls, std::move(near));
    ::SSL_set_connect_state(c->tls()->native_handle());
    return c;
  }
  static task<void> read(upstream_connection& c, interrupt& ctl, bool& ended) {
    co_await c.read_some(1'000, ctl);
    ended = true;
  }
  static task<void> write(upstream_connection& c, bool& ended) {
    std::array<asio::const_buffer, 1> const what{asio::buffer("x", 1)};
    co_await c.write_some(what);
    ended = true;
  }
  void steps(int n) {
    for (int i = 0; i < n; ++i) {
      if (io.stopped()) io.restart();
      io.poll_one();
    }
  }
};

TEST_F(UpstreamConnection, AnInterruptEndsAReadOverTlsAtEveryStep) {
  for (int step = 0; step < most_steps; ++step) {
    socket_pair pair(io);
    pair.far.send("\x16\x03\x03");  // the beginning of a record, of which the rest never comes
    auto const c = over_tls(std::move(pair.near));
    ended = false;
    asio::co_spawn(io, read(*c, ctl, ended), asio::detached);
    steps(step);
    ctl.fire(interruption::client_gone);
    ASSERT_TRUE(run_until(io, [&] { return ended; })) << "after " << step << " steps";
    ctl.reset();
  }
}

TEST_F(UpstreamConnection, CancelEndsAWriteOverTlsAtEveryStep) {
  for (int step = 1; step < most_steps; ++step) {
    socket_pair pair(io);
    pair.far.send("\x16\x03\x03");
    auto const c = over_tls(std::move(pair.near));
    ended = false;
    asio::co_spawn(io, write(*c, ended), asio::detached);
    steps(step);
    c->cancel();
    ASSERT_TRUE(run_until(io, [&] { return ended; })) << "after " << step << " steps";
  }
}

TEST_F(UpstreamConnection, CancelEndsAPlainReadAtEveryStep) {
  for (int step = 0; step < 4; ++step) {
    socket_pair pair(io);
    upstream_connection c(std::move(pair.near));
    ended = false;
    asio::co_spawn(io, read(c, ctl, ended), asio::detached);
    steps(step);
    ctl.fire(interruption::timeout);
    ASSERT_TRUE(run_until(io, [&] { return ended; })) << "after " << step << " steps";
    ctl.reset();
  }
}

}  // namespace
