// Which address a connection goes to: each in turn, what worked last first, and asked for again after a failure.
#include "cooldown/net/upstream_pool.hpp"

#include <functional>

#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>
#include <netdb.h>

#include "fake_names.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;

namespace {

struct UpstreamPool : with_fake_names {
  deadline_sweep sweep{io};
  tcp_socket client{io};
  interrupt ctl{sweep, client};
  std::uint16_t port = 0;

  void SetUp() override {
    with_fake_names::SetUp();
    tcp_acceptor const any(io, {asio::ip::make_address("127.0.0.1"), 0});
    port = any.local_endpoint().port();
  }
  tcp_acceptor listen(const char* address) { return {io, {asio::ip::make_address(address), port}}; }
  pool_settings settings() const {
    pool_settings s;
    s.origin = {.tls = false, .host = "provider.test", .port = port, .prefix = ""};
    return s;
  }

  using acquired = std::variant<upstream_pool::connection_ptr, connect_failure>;
  static task<void> ask(upstream_pool& pool, interrupt& ctl, std::optional<acquired>& out) {
    auto got = co_await pool.acquire(ctl, true, 2s);
    out = std::move(got);
  }
  /// The address of a new connection; empty if there is none.
  std::string connect(upstream_pool& pool) {
    std::optional<acquired> got;
    asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
    run_until([&] { return got.has_value(); });
    ctl.reset();
    if (!got) ADD_FAILURE() << "no answer";
    auto* const c = got ? std::get_if<upstream_pool::connection_ptr>(&*got) : nullptr;
    return c ? (*c)->socket().remote_endpoint().address().to_string() : "";
  }
};

}  // namespace

TEST_F(UpstreamPool, TriesTheAddressesInTurnAndRemembersWhatWorked) {
  names.addresses = {"::1", "127.0.0.2", "127.0.0.3"};
  auto const third = listen("127.0.0.3");
  upstream_pool pool(io, sweep, settings());
  EXPECT_EQ(connect(pool), "127.0.0.3");
  auto const second = listen("127.0.0.2");
  EXPECT_EQ(connect(pool), "127.0.0.3");
  EXPECT_EQ(names.asked, 1);
}

TEST_F(UpstreamPool, AsksAgainAfterAFailure) {
  names.addresses = {"127.0.0.2"};
  upstream_pool pool(io, sweep, settings());
  {
    auto const there = listen("127.0.0.2");
    EXPECT_EQ(connect(pool), "127.0.0.2");
  }
  EXPECT_EQ(connect(pool), "");
  names.addresses = {"127.0.0.3"};
  auto const moved = listen("127.0.0.3");
  EXPECT_EQ(connect(pool), "127.0.0.3");
  EXPECT_EQ(names.asked, 2);
}

TEST_F(UpstreamPool, ANameWithoutAddressesIsAFailure) {
  names.addresses = {};
  upstream_pool pool(io, sweep, settings());
  EXPECT_EQ(connect(pool), "");
  names.addresses = {"127.0.0.2"};
  auto const there = listen("127.0.0.2");
  EXPECT_EQ(connect(pool), "127.0.0.2");
}

TEST_F(UpstreamPool, ErrorsOfThisMachineAreToldFromTheProviders) {
  auto const failure = [&] {
    upstream_pool pool(io, sweep, settings());
    std::optional<acquired> got;
    asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
    run_until([&] { return got.has_value(); });
    ctl.reset();
    return std::get<connect_failure>(*got).local;
  };
  names.addresses = {};
  EXPECT_FALSE(failure()) << "no such name";
  names.fails_with = EAI_AGAIN;
  EXPECT_FALSE(failure());
  for (int const error : {EAI_MEMORY, EAI_SYSTEM}) {
    names.fails_with = error;
    EXPECT_TRUE(failure()) << error;
  }
  names.fails_with = 0;
  names.addresses = {"127.0.0.2"};
  EXPECT_FALSE(failure()) << "refused";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit const none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  auto const error = failure();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(error, asio::error::no_descriptors);
}

TEST_F(UpstreamPool, WhatIsGivenBackToARetiredPoolIsClosed) {
  names.addresses = {"127.0.0.2"};
  auto const there = listen("127.0.0.2");
  upstream_pool pool(io, sweep, settings());
  for (bool const retired : {false, true}) {
    std::optional<acquired> got;
    asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
    run_until([&] { return got.has_value(); });
    if (retired) pool.retire();
    pool.give_back(std::move(std::get<upstream_pool::connection_ptr>(*got)));
    EXPECT_EQ(pool.idle(), retired ? 0U : 1U);
  }
}

TEST_F(UpstreamPool, AnOldConnectionIsNotKept) {
  names.addresses = {"127.0.0.2"};
  auto const there = listen("127.0.0.2");
  upstream_pool pool(io, sweep, settings());
  for (auto const age : {9min, 11min}) {
    std::optional<acquired> got;
    asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
    run_until([&] { return got.has_value(); });
    auto& c = std::get<upstream_pool::connection_ptr>(*got);
    c->made_at -= age;
    pool.give_back(std::move(c));
    EXPECT_EQ(pool.idle(), age < 10min ? 1U : 0U);
    pool.close_idle();
  }
}

TEST_F(UpstreamPool, ADeadAddressCostsAQuarterOfASecondOnce) {
  // Whose backlog is full answers nobody.
  auto silent = listen("127.0.0.2");
  silent.listen(0);
  std::vector<tcp_socket> waiting;
  for (int i = 0; i < 4; ++i) {
    auto& s = waiting.emplace_back(io);
    s.open(asio::ip::tcp::v4());
    s.non_blocking(true);
    auto const to = silent.local_endpoint();
    ::connect(s.native_handle(), to.data(), static_cast<socklen_t>(to.size()));
  }
  auto const there = listen("127.0.0.3");
  names.addresses = {"127.0.0.2", "127.0.0.3"};
  upstream_pool pool(io, sweep, settings());
  auto const start = steady_now();
  EXPECT_EQ(connect(pool), "127.0.0.3");
  EXPECT_GE(steady_now() - start, 250ms) << "the first had its time";
  EXPECT_EQ(connect(pool), "127.0.0.3");
  EXPECT_EQ(names.asked, 1);
}

TEST_F(UpstreamPool, ConnectionsAreProbedWhileTheyAreSilent) {
  names.addresses = {"127.0.0.2"};
  auto const there = listen("127.0.0.2");
  upstream_pool pool(io, sweep, settings());
  std::optional<acquired> got;
  asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
  run_until([&] { return got.has_value(); });
  asio::socket_base::keep_alive alive;
  std::get<upstream_pool::connection_ptr>(*got)->socket().get_option(alive);
  EXPECT_TRUE(alive.value());
}
