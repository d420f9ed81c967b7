// One attempt: its destination, its key, and how its end is reported.
#include "cooldown/net/attempt.hpp"

#include <deque>
#include <functional>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_names.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using kind = attempt_end::what;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const std::string impatient = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Answers one request after the other; where an answer is empty, it resets the connection.
struct provider_side {
  provider_side(asio::io_context& io, std::vector<std::string> answers)
      : acceptor(io, {asio::ip::make_address("127.0.0.1"), 0}), next(answers.begin(), answers.end()) {
    asio::co_spawn(io, serve(*this), asio::detached);
  }
  std::uint16_t port() const { return acceptor.local_endpoint().port(); }

  static task<void> serve(provider_side& self) {
    for (;;) {
      auto [ec, socket] = co_await self.acceptor.async_accept(tok);
      if (ec) co_return;
      bool open = true;
      while (open) {
        std::string head;
        auto [failed, n] = co_await asio::async_read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n", tok);
        if (failed) break;
        self.heads.push_back(head);
        auto const answer = self.next.empty() ? std::string() : self.next.front();
        if (!self.next.empty()) self.next.pop_front();
        open = !answer.empty();
        if (open) co_await asio::async_write(socket, asio::buffer(answer), tok);
      }
      error_code ignored;
      socket.set_option(asio::socket_base::linger(true, 0), ignored);
    }
  }

  tcp_acceptor acceptor;
  std::deque<std::string> next;
  std::vector<std::string> heads;
};

struct Attempt : with_fake_names {
  config::settings settings = [] {
    config::settings s;
    s.logging.level = config::log_level::off;
    s.cerebras.api_key = "key-a";
    return s;
  }();
  observe::log log{settings.logging};
  std::optional<app> shared;
  std::optional<client_connection> client;
  std::optional<tcp_socket> other_end;

  void SetUp() override {
    with_fake_names::SetUp();
    names.addresses = {"127.0.0.1"};
  }

  void begin(const provider_side& at, const std::string& host = "127.0.0.1", const std::string& prefix = "") {
    settings.cerebras.base_url = {.tls = false, .host = host, .port = at.port(), .prefix = prefix};
    shared.emplace(io, settings, log);
    tcp_acceptor front(io, {asio::ip::make_address("127.0.0.1"), 0});
    other_end.emplace(io);
    other_end->connect(front.local_endpoint());
    client.emplace(front.accept(), *shared, role::proxy);
  }

  struct made {
    std::optional<attempt_result> result;
  };
  static task<void> make(upstream_attempt& a, upstream_ptr to, const request& r, config::settings settings, made& out) {
    auto got = co_await a.make(std::move(to), r, settings, false);
    out.result = std::move(got);
  }
  void fill(request& r) const {
    r.read_under = shared->settings();
    r.head_bytes = "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_FALSE(http::parse_request_head(r.head_bytes, r.head));
    r.method = r.head.method;
    r.target = r.head.target;
  }
  /// An attempt of now. `meanwhile` is called once it has begun, and lets it go on.
  attempt_end attempt(upstream_attempt& a, const std::function<void()>& meanwhile = nullptr) {
    request r(shared->bodies);
    fill(r);
    made m;
    asio::co_spawn(io, make(a, shared->upstream_of_now(), r, settings, m), asio::detached);
    if (meanwhile) {
      run_until([] { return names.asked > 0; });
      meanwhile();
    }
    run_until([&] { return m.result.has_value(); });
    return m.result->end;
  }
  std::size_t idle() const { return shared->provider().pool.idle(); }
};

}  // namespace

TEST_F(Attempt, OriginPathAndKeyAreOfOneConfiguration) {
  provider_side there(io, {ok});
  begin(there, "127.0.0.1", "/tenant");
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::answered);
  EXPECT_TRUE(end.sent);
  auto const host = "Host: 127.0.0.1:" + std::to_string(there.port());
  EXPECT_THAT(there.heads, ElementsAre(AllOf(StartsWith("GET /tenant/v1/models HTTP/1.1\r\n"), HasSubstr(host),
                                             HasSubstr("Authorization: Bearer key-a\r\n"))));
  a.finish();
  EXPECT_EQ(idle(), 1U);
}

TEST_F(Attempt, AReloadWhileItLooksUpTheProviderOfBeforeEndsItWithNothingSent) {
  provider_side before(io, {ok});
  provider_side now(io, {ok});
  begin(before, "provider.test");
  names.close_door();
  upstream_attempt a(*client);
  auto const end = attempt(a, [&] {
    settings.cerebras.base_url = {.tls = false, .host = "127.0.0.1", .port = now.port(), .prefix = ""};
    settings.cerebras.api_key = "key-b";
    shared->reconfigure(settings);
  });
  EXPECT_EQ(end.kind, kind::superseded) << "at once, though the look-up goes on";
  EXPECT_FALSE(end.sent);
  names.open_door();
  EXPECT_EQ(attempt(a).kind, kind::answered);
  EXPECT_THAT(now.heads, ElementsAre(HasSubstr("Authorization: Bearer key-b\r\n")));
  EXPECT_THAT(before.heads, IsEmpty());
}

TEST_F(Attempt, AReloadThatChangesTheKeyAloneKeepsTheConnection) {
  provider_side there(io, {ok});
  begin(there, "provider.test");
  names.close_door();
  upstream_attempt a(*client);
  auto const end = attempt(a, [&] {
    settings.cerebras.api_key = "key-b";
    shared->reconfigure(settings);
    names.open_door();
  });
  EXPECT_EQ(end.kind, kind::superseded);
  EXPECT_EQ(idle(), 1U);
  EXPECT_EQ(attempt(a).kind, kind::answered);
  EXPECT_THAT(there.heads, ElementsAre(HasSubstr("Authorization: Bearer key-b\r\n")));
}

TEST_F(Attempt, AnAnswerOfTheProviderOfBeforeIsStillReadButItsConnectionNotKept) {
  provider_side there(io, {ok});
  begin(there);
  upstream_attempt a(*client);
  EXPECT_EQ(attempt(a).kind, kind::answered);
  settings.cerebras.base_url.port = 9;
  auto const before = shared->upstream_of_now();
  shared->reconfigure(settings);
  a.finish();
  EXPECT_EQ(before->provider->pool.idle(), 0U);
  EXPECT_EQ(idle(), 0U);
}

TEST_F(Attempt, AKeptConnectionThatIsResetIsStale) {
  provider_side there(io, {ok, ""});
  begin(there);
  upstream_attempt a(*client);
  EXPECT_EQ(attempt(a).kind, kind::answered);
  a.finish();
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::broken);
  EXPECT_TRUE(end.stale);
  EXPECT_FALSE(end.local);
  a.drop();
}

TEST_F(Attempt, ANewConnectionThatIsResetIsNotStale) {
  provider_side there(io, {""});
  begin(there);
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::broken);
  EXPECT_FALSE(end.stale);
}

TEST_F(Attempt, A408ThatCrossedTheRequestIsStale) {
  for (bool const reused : {false, true}) {
    provider_side there(io, reused ? std::vector<std::string>{ok, impatient} : std::vector<std::string>{impatient});
    begin(there);
    upstream_attempt a(*client);
    if (reused) {
      EXPECT_EQ(attempt(a).kind, kind::answered);
      a.finish();
    }
    auto const end = attempt(a);
    EXPECT_EQ(end.status, 408U);
    EXPECT_EQ(end.stale, reused);
    a.drop();
    client.reset();
  }
}
