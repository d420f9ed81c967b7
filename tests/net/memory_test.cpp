// When there is no memory left: the reserves, and that a session survives every allocation that fails.
#include "cooldown/net/memory.hpp"

#include <new>
#include <optional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cooldown/net/session.hpp"

#include "lone_proxy.hpp"
#include "scripted_provider.hpp"
#include "socket_pair.hpp"
#include "support/failing_new.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;

namespace {

struct Memory : ::testing::Test {
  std::new_handler const before = std::get_new_handler();
  void SetUp() override { keep_memory_reserve(); }
  void TearDown() override {
    memory_is_short = nullptr;
    std::set_new_handler(before);
    EXPECT_TRUE(restore_memory_reserve());
  }
  /// Whether an allocation that has failed would be tried again.
  static bool helps() {
    try {
      std::get_new_handler()();
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
};

}  // namespace

TEST_F(Memory, TheReserveHelpsOnce) {
  EXPECT_TRUE(helps());
  EXPECT_FALSE(helps());
  EXPECT_TRUE(restore_memory_reserve());
  EXPECT_TRUE(helps());
}

TEST_F(Memory, TheLastReserveIsForWhatMustNotStopHalfway) {
  EXPECT_TRUE(helps());
  {
    last_reserve const outer;
    {
      last_reserve const inner;
      EXPECT_TRUE(helps());
      EXPECT_FALSE(helps());
    }
    EXPECT_FALSE(helps()) << "it is made up at the end";
  }
  EXPECT_FALSE(helps());
  last_reserve const again;
  EXPECT_TRUE(helps());
}

TEST_F(Memory, OtherThreadsHaveNoReserve) {
  last_reserve const here;
  bool helped = true;
  std::thread([&] { helped = helps(); }).join();
  EXPECT_FALSE(helped);
  EXPECT_TRUE(helps());
}

namespace {

std::size_t allocations = 0;
std::size_t failing = 0;  // this one fails, and once more after the reserve was given up; 0: none

/// Two clients, one of which waits for the other.
struct two_clients {
  asio::io_context io{1};
  asio::io_context elsewhere{1};
  std::string const done = answer_of("200 OK", "", R"({"usage":{"prompt_tokens":3,"completion_tokens":2}})");
  scripted_provider provider{elsewhere, {done, done, done, done, done}};
  config::settings settings = make_settings(provider.port());
  observe::log log{settings.logging};
  app shared{io, settings, log};
  std::vector<far_end> clients;

  static config::settings make_settings(std::uint16_t port) {
    auto s = settings_of_lone_proxy();
    s.cerebras.base_url.port = port;
    s.cerebras.rpm_limit = 1'000'000;
    s.cerebras.tpm_limit = 1'000'000'000;
    s.cerebras.queue.max_in_flight = 1;
    s.cerebras.retries = 0;
    s.cerebras.circuit_breaker.failure_threshold = 0;
    return s;
  }

  /// Its answer, or what came of it, once its connection has ended.
  std::string answer_to(std::size_t i) {
    std::string got;
    EXPECT_TRUE(until([&] {
      got += clients[i].read();
      return clients[i].ended;
    }));
    clients[i].close();
    return got;
  }

  /// Only the proxy's allocations fail. What is thrown goes nowhere, as in main().
  bool until(const std::function<bool()>& so) {
    auto const end = std::chrono::steady_clock::now() + patience;
    while (!so()) {
      if (std::chrono::steady_clock::now() > end) return false;
      elsewhere.restart();
      elsewhere.poll();
      io.restart();
      memory_is_short = [](std::size_t) { return ++allocations == failing || allocations == failing + 1; };
      try {
        if (io.poll() == 0 && failing == 0) io.run_one_for(1ms);
      } catch (const std::bad_alloc&) {
      }
      memory_is_short = nullptr;
    }
    return true;
  }

  void send() {
    constexpr std::string_view body = R"({"model":"m","max_tokens":5})";
    auto const request = fmt::format(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
        body.size(), body);
    socket_pair pair(io);
    asio::co_spawn(io, run_session(std::move(pair.near), shared, role::proxy), [](const std::exception_ptr&) {});
    EXPECT_EQ(pair.far.send(request), request.size());
    clients.push_back(std::move(pair.far));
  }
};

}  // namespace

TEST_F(Memory, WhateverAllocationFailsOneRequestIsLostAtMostAndNothingIsLeft) {
  for (failing = 1;; ++failing) {
    SCOPED_TRACE("allocation " + std::to_string(failing));
    EXPECT_TRUE(restore_memory_reserve());
    allocations = 0;
    two_clients t;
    t.send();
    t.send();
    std::size_t served = 0;
    for (std::size_t i = 0; i < 2; ++i) served += t.answer_to(i).starts_with("HTTP/1.1 200 ") ? 1U : 0U;
    EXPECT_GE(served, 1U);
    auto const made = allocations;
    EXPECT_TRUE(t.until([&] { return t.shared.port.connections.empty(); }));
    EXPECT_EQ(t.shared.upstreams.first()->limiter.in_flight(), 0U);
    EXPECT_EQ(t.shared.upstreams.first()->limiter.queue_length(), 0U);
    EXPECT_EQ(t.shared.port.bodies.total(), 0U);
    EXPECT_EQ(t.shared.telemetry.stats.requests_in_progress, 0U);
    auto const was_failing = std::exchange(failing, 0);
    t.send();
    EXPECT_TRUE(t.answer_to(2).starts_with("HTTP/1.1 200 ")) << "and it goes on";
    failing = was_failing;
    if (HasFailure() || made < failing) break;
  }
  EXPECT_GT(failing, 100U);
  failing = 0;
}
