// A session over a socket held by the test: what it keeps in memory, and how it ends.
#include "cooldown/net/session.hpp"

#include <atomic>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "lone_proxy.hpp"
#include "socket_pair.hpp"
#include "support/failing_new.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;

namespace {

std::atomic<std::size_t> too_much{};  // allocations from here on fail

struct Session : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = make_settings();
  observe::log log{settings.logging};
  app shared{io, settings, log};

  static config::settings make_settings() {
    auto s = settings_of_lone_proxy();
    s.cerebras.retries = 0;
    s.server.max_body_size = 4 * 1024 * 1024;
    s.server.max_header_size = 1024 * 1024;
    s.cerebras.queue.max_bytes = 16 * 1024 * 1024;
    return s;
  }

  void TearDown() override {
    memory_is_short = nullptr;
    EXPECT_TRUE(run_until(io, [&] { return shared.port.connections.empty(); }));
  }

  far_end connect() {
    socket_pair pair(io);
    asio::co_spawn(io, run_session(std::move(pair.near), shared, role::proxy),
                   [](const std::exception_ptr& e) { EXPECT_FALSE(e) << "a session does not throw"; });
    return std::move(pair.far);
  }

  /// Sends all of it, and reads nothing meanwhile.
  bool send(far_end& client, std::string_view bytes) {
    return run_until(io, [&] {
      bytes.remove_prefix(client.send(bytes));
      return bytes.empty();
    });
  }

  /// What comes until the session has ended.
  std::string read_all(far_end& client) {
    std::string all;
    EXPECT_TRUE(run_until(io, [&] {
      all += client.read();
      return client.ended;
    }));
    return all;
  }

  static std::string post(std::size_t length) {
    return "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  }
};

}  // namespace

TEST_F(Session, WhoeverIsRefusedAmidAnUploadMaySendItToItsEnd) {
  auto client = connect();
  std::size_t const size = 16 * settings.server.max_body_size;
  ASSERT_TRUE(send(client, post(size)));
  std::string const piece(1024 * 1024, 'x');
  for (std::size_t sent = 0; sent < size; sent += piece.size()) ASSERT_TRUE(send(client, piece));
  client.shutdown_send();
  EXPECT_TRUE(read_all(client).starts_with("HTTP/1.1 413 "));
}

TEST_F(Session, WithoutMemoryForABodyItIsRefusedAndNothingElseEnds) {
  auto client = connect();
  auto other = connect();
  std::size_t const size = settings.server.max_body_size;
  ASSERT_TRUE(send(client, post(size)));
  std::string const part(3 * 1024 * 1024, 'x');
  too_much = 3 * 1024 * 1024 / 2;
  memory_is_short = [](std::size_t n) { return n >= too_much; };
  ASSERT_TRUE(send(client, part));
  client.shutdown_send();
  auto const answer = read_all(client);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("local_failure"), std::string::npos) << answer;
  EXPECT_EQ(shared.port.bodies.total(), 0U);
  ASSERT_TRUE(send(other, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(read_all(other).starts_with("HTTP/1.1 200 "));
}

TEST_F(Session, LargeHeadsCountLikeBodies) {
  std::vector<far_end> clients;
  std::string const part = "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(900 * 1024, 'x');
  std::size_t refused = 0;
  for (int i = 0; i < 24; ++i) {
    auto& client = clients.emplace_back(connect());
    ASSERT_TRUE(send(client, part));
    io.restart();
    io.poll();
    refused += client.read(64 * 1024).starts_with("HTTP/1.1 503 ") ? 1U : 0U;
    EXPECT_LE(shared.port.bodies.total(), settings.cerebras.queue.max_bytes + settings.server.max_header_size);
  }
  EXPECT_GT(refused, 4U);
  EXPECT_LT(refused, 20U);
  clients.clear();
  EXPECT_TRUE(run_until(io, [&] { return shared.port.connections.empty(); }));
  EXPECT_EQ(shared.port.bodies.total(), 0U);
}
