// What a client's connection does with what is written to it.
#include "cooldown/net/client_connection.hpp"

#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "cooldown/net/app.hpp"

#include "lone_proxy.hpp"
#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;

namespace {

struct ClientConnection : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = settings_of_lone_proxy();
  observe::log log{settings.logging};
  app shared{io, settings, log};
  socket_pair pair{io};
  client_connection c{std::move(pair.near), shared.port, role::proxy};
  far_end& client = pair.far;
  std::optional<error_code> result;

  static task<void> write_one(ClientConnection& t, std::string_view text) {
    auto const ec = co_await t.c.write(text, 10s);
    t.result = ec;
  }
  void begin(std::string_view text) {
    result.reset();
    asio::co_spawn(io, write_one(*this, text), asio::detached);
    io.restart();
    io.poll();
  }
  error_code ends() {
    EXPECT_TRUE(run_until(io, [&] { return result.has_value(); }));
    return *result;
  }
  std::string read_all() {
    std::string all;
    for (auto piece = client.read(); !piece.empty(); piece = client.read()) all += piece;
    return all;
  }
};

}  // namespace

TEST_F(ClientConnection, NothingFollowsWhatWasCutShort) {
  std::string const large(4 * 1024 * 1024, 'x');  // more than the kernel keeps
  begin(large);
  ASSERT_FALSE(result);
  c.ctl.fire(interruption::draining);
  EXPECT_TRUE(ends());
  auto const before = read_all();
  EXPECT_GT(before.size(), 0U);
  c.ctl.reset();
  begin("more");
  EXPECT_TRUE(ends()) << "it would be taken for the rest";
  EXPECT_EQ(read_all(), "");
}

TEST_F(ClientConnection, WhoeverDidNotTakeItsAnswerIsReset) {
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  tcp_socket far(io);
  tcp_socket near(io);
  far.connect(acceptor.local_endpoint());
  acceptor.accept(near);
  std::optional<client_connection> slow(std::in_place, std::move(near), shared.port, role::proxy);
  std::string const large(64 * 1024 * 1024, 'x');
  std::vector<asio::const_buffer> buffers{asio::buffer(large)};
  error_code ec;
  ASSERT_FALSE(slow->write_at_once(buffers, ec)) << "more than the kernel keeps";
  slow.reset();
  std::string taken(1024 * 1024, ' ');
  while (!ec) far.read_some(asio::buffer(taken), ec);
  EXPECT_EQ(ec, asio::error::connection_reset);
}

TEST_F(ClientConnection, WhatWaitedForTheClientGoesOnWhole) {
  std::string const large(4 * 1024 * 1024, 'x');
  begin(large);
  std::size_t taken = 0;
  EXPECT_TRUE(run_until(io, [&] { return (taken += client.read().size()) == large.size(); }));
  EXPECT_FALSE(ends());
  begin("more");
  EXPECT_FALSE(ends());
  EXPECT_EQ(read_all(), "more");
}

TEST_F(ClientConnection, ReadsAtOnceOnlyTheFirstOfWhatHasCome) {
  error_code ec;
  EXPECT_FALSE(c.read_at_once(16, ec)) << "nothing has come";
  EXPECT_FALSE(ec);
  client.send("one");
  EXPECT_TRUE(c.read_at_once(16, ec));
  EXPECT_EQ(c.in.size(), 3U);
  client.send("two");
  EXPECT_FALSE(c.read_at_once(16, ec)) << "others have their turn before the rest";
  c.in.consume(3);
  c.ctl.fire(interruption::timeout);
  EXPECT_FALSE(c.read_at_once(16, ec));
}

TEST_F(ClientConnection, ReadsTheEndAtOnce) {
  client.shutdown_send();
  error_code ec;
  EXPECT_TRUE(c.read_at_once(16, ec));
  EXPECT_EQ(ec, asio::error::eof);
}
