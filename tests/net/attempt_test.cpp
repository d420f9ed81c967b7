// One attempt: its destination, its key, and how its end is reported.
#include "cooldown/net/attempt.hpp"

#include <functional>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cooldown/net/app.hpp"

#include "fake_names.hpp"
#include "scripted_provider.hpp"

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
  std::shared_ptr<const config::settings> read_under;  // null: those of now
  std::string more_fields;
  std::string message;  // of the last attempt, for the log

  void SetUp() override {
    with_fake_names::SetUp();
    names.addresses = {"127.0.0.1"};
  }

  void begin(const scripted_provider& at, const std::string& host = "127.0.0.1", const std::string& prefix = "") {
    settings.cerebras.base_url = {.tls = false, .host = host, .port = at.port(), .prefix = prefix};
    shared.emplace(io, settings, log);
    tcp_acceptor front(io, {asio::ip::make_address("127.0.0.1"), 0});
    other_end.emplace(io);
    other_end->connect(front.local_endpoint());
    client.emplace(front.accept(), shared->port, role::proxy);
  }

  struct made {
    std::optional<attempt_result> result;
  };
  static task<void> make(upstream_attempt& a, const destination& at, upstream_ptr to, const request& r,
                         config::settings settings, made& out) {
    auto got = co_await a.make(at, std::move(to), r, r.body.view(), settings, false);
    out.result = std::move(got);
  }
  void fill(request& r) const {
    r.read_under = read_under ? read_under : shared->port.settings();
    r.head_bytes = "GET /v1/models HTTP/1.1\r\nHost: x\r\n" + more_fields + "\r\n";
    ASSERT_FALSE(http::parse_request_head(r.head_bytes, r.head));
    r.method = r.head.method;
    r.target = r.head.target;
  }
  /// An attempt of now. `meanwhile` is called once it has begun, and lets it go on.
  attempt_end attempt(
      upstream_attempt& a, const std::function<void()>& meanwhile = nullptr,
      const std::function<bool()>& begun = [] { return names.asked > 0; }) {
    request r(shared->port.bodies);
    fill(r);
    made m;
    asio::co_spawn(io,
                   make(a, *shared->upstreams.first(), shared->upstreams.first()->upstream_of_now(), r, settings, m),
                   asio::detached);
    if (meanwhile) {
      run_until(begun);
      meanwhile();
    }
    run_until([&] { return m.result.has_value(); });
    message = m.result->message;
    return m.result->end;
  }
  std::size_t idle() const { return shared->upstreams.first()->provider().pool.idle(); }
};

}  // namespace

TEST_F(Attempt, OriginPathAndKeyAreOfOneConfiguration) {
  scripted_provider there(io, {ok});
  begin(there, "127.0.0.1", "/tenant");
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::answered);
  EXPECT_TRUE(end.sent);
  auto const host = "Host: 127.0.0.1:" + std::to_string(there.port());
  EXPECT_THAT(there.requests, ElementsAre(AllOf(StartsWith("GET /tenant/v1/models HTTP/1.1\r\n"), HasSubstr(host),
                                                HasSubstr("Authorization: Bearer key-a\r\n"))));
  a.finish();
  EXPECT_EQ(idle(), 1U);
}

TEST_F(Attempt, AReloadWhileItLooksUpTheProviderOfBeforeEndsItWithNothingSent) {
  scripted_provider before(io, {ok});
  scripted_provider now(io, {ok});
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
  EXPECT_THAT(now.requests, ElementsAre(HasSubstr("Authorization: Bearer key-b\r\n")));
  EXPECT_THAT(before.requests, IsEmpty());
}

TEST_F(Attempt, AReloadThatChangesTheKeyAloneKeepsTheConnection) {
  scripted_provider there(io, {ok});
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
  EXPECT_THAT(there.requests, ElementsAre(HasSubstr("Authorization: Bearer key-b\r\n")));
}

TEST_F(Attempt, AnAnswerOfTheProviderOfBeforeIsStillReadButItsConnectionNotKept) {
  scripted_provider there(io, {ok});
  begin(there);
  upstream_attempt a(*client);
  EXPECT_EQ(attempt(a).kind, kind::answered);
  settings.cerebras.base_url.port = 9;
  auto const before = shared->upstreams.first()->upstream_of_now();
  shared->reconfigure(settings);
  a.finish();
  EXPECT_EQ(before->provider->pool.idle(), 0U);
  EXPECT_EQ(idle(), 0U);
}

TEST_F(Attempt, AKeptConnectionThatIsResetIsStale) {
  scripted_provider there(io, {ok, ""});
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
  scripted_provider there(io, {""});
  begin(there);
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::broken);
  EXPECT_FALSE(end.stale);
}

TEST_F(Attempt, A408ThatCrossedTheRequestIsStale) {
  for (bool const reused : {false, true}) {
    scripted_provider there(io, reused ? std::vector<std::string>{ok, impatient} : std::vector<std::string>{impatient});
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

TEST_F(Attempt, WithoutAConnectionNothingIsSent) {
  scripted_provider there(io, {});
  begin(there);
  there.close();
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::no_connection);
  EXPECT_FALSE(end.sent);
  EXPECT_FALSE(end.local);
  EXPECT_FALSE(end.certificate);
  EXPECT_THAT(message, HasSubstr("refused"));
  EXPECT_EQ(shared->telemetry.stats.upstream_attempts, 0U);
}

TEST_F(Attempt, AClientThatLeavesDuringTheLookUpEndsIt) {
  scripted_provider there(io, {ok});
  begin(there, "provider.test");
  names.close_door();
  upstream_attempt a(*client);
  auto const end = attempt(a, [&] { client->ctl.fire(interruption::client_gone); });
  EXPECT_EQ(end.kind, kind::interrupted);
  EXPECT_FALSE(end.sent);
}

TEST_F(Attempt, AClientThatLeavesWhileAReloadComesHasLeft) {
  scripted_provider there(io, {ok});
  begin(there, "provider.test");
  names.close_door();
  upstream_attempt a(*client);
  auto const end = attempt(a, [&] {
    client->ctl.fire(interruption::client_gone);
    settings.cerebras.base_url.port = 9;
    shared->reconfigure(settings);
  });
  EXPECT_EQ(end.kind, kind::interrupted);
}

TEST_F(Attempt, WhatDoesNotConnectInTimeIsNoDepartureOfTheClient) {
  scripted_provider there(io, {ok});
  settings.cerebras.timeouts.connect = 1ms;
  begin(there, "provider.test");
  names.close_door();
  upstream_attempt a(*client);
  EXPECT_EQ(attempt(a).kind, kind::no_connection);
}

TEST_F(Attempt, WhatIsNotHttpIsNotAcceptable) {
  scripted_provider there(io, {"220 mail.example ESMTP\r\n\r\n"});
  begin(there);
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::unacceptable);
  EXPECT_TRUE(end.sent);
  EXPECT_NE(message, "");
}

TEST_F(Attempt, SilenceIsATimeoutAndADepartureIsNone) {
  scripted_provider there(io, {ok, ok});
  settings.cerebras.timeouts.first_byte = 1ms;
  begin(there);
  there.hold();
  upstream_attempt a(*client);
  EXPECT_EQ(attempt(a).kind, kind::timeout);
  a.drop();
  client->ctl.reset();
  settings.cerebras.timeouts.first_byte = 1h;
  auto const end = attempt(
      a, [&] { client->ctl.fire(interruption::client_gone); }, [&] { return there.requests.size() == 2; });
  EXPECT_EQ(end.kind, kind::interrupted);
  EXPECT_TRUE(end.sent);
}

TEST_F(Attempt, AClientsOwnKeyDoesNotGoToAnotherProvider) {
  scripted_provider before(io, {ok});
  scripted_provider now(io, {ok});
  settings.cerebras.api_key.clear();
  more_fields = "Authorization: Bearer of-the-client\r\n";
  begin(before);
  read_under = shared->port.settings();
  settings.cerebras.base_url.port = now.port();
  shared->reconfigure(settings);
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.kind, kind::not_for_it);
  EXPECT_FALSE(end.sent);
  EXPECT_EQ(idle(), 1U) << "the connection is as good as before";
  EXPECT_THAT(now.requests, IsEmpty());
}

TEST_F(Attempt, HowLongAnAnswerTookAndWhenToComeAgainIsToldOfIt) {
  scripted_provider there(io, {"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"});
  begin(there);
  upstream_attempt a(*client);
  auto const end = attempt(a);
  EXPECT_EQ(end.status, 503U);
  EXPECT_EQ(end.retry_after, 7s);
  EXPECT_GT(a.took(), 0s);
  EXPECT_EQ(a.head().status, 503U);
  EXPECT_EQ(shared->telemetry.stats.upstream_attempts, 1U);
}

TEST(Timeouts, AreOfTheUpstreamAsItIsConfiguredNow) {
  config::settings before;
  before.upstreams.resize(1);
  before.upstreams[0].name = "b";
  before.upstreams[0].timeouts.idle = 7s;
  auto const kept = std::make_shared<const config::settings>(before);
  upstream const first{kept, &kept->cerebras, "", nullptr};
  upstream const second{kept, &kept->upstreams[0], "", nullptr};
  auto now = before;
  now.cerebras.timeouts.idle = 3s;
  now.upstreams[0].timeouts.idle = 5s;
  EXPECT_EQ(timeouts_of(now, first).idle, 3s);
  EXPECT_EQ(timeouts_of(now, second).idle, 5s);
  now.upstreams.clear();
  EXPECT_EQ(timeouts_of(now, second).idle, 7s) << "removed: its requests end as they began";
}
