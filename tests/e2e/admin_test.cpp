// The admin port: what it shows and accepts.
#include <fstream>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

/// An account whose tokens are used up for a minute.
fake_upstream::handler used_up() {
  return [](auto const&, tcp_client& c) { return c.send(ok_response(completion(), token_headers(1000, 0, "60"))); };
}

http_response post(const proxy& p, const std::string& path, const std::string& body,
                   const std::string& fields = "Content-Type: application/json\r\n") {
  auto const head = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields;
  return fetch(p.admin_port(), head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, "POST");
}

http_response get(const proxy& p, const std::string& path, const std::string& fields = "") {
  return fetch(p.admin_port(), get_request(path, fields), "GET");
}

std::string chat(const std::string& fields = "") {
  return post_request("/v1/chat/completions", chat_body("m", 10), fields);
}

/// A client whose request waits.
tcp_client waiting(const proxy& p) {
  p.fetch(chat());
  tcp_client c(p.port());
  c.send(chat());
  EXPECT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  return c;
}

}  // namespace

TEST(Admin, ThePageIsServedWithItsFilesAndARestrictivePolicy) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  auto const page = get(p, "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.field("content-security-policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(page.body, HasSubstr("<title>cooldown-proxy</title>"));
  EXPECT_THAT(page.body, Not(HasSubstr("http://"))) << "nothing from elsewhere";
  for (auto const* file : {"/app.js", "/style.css", "/uPlot.iife.min.js", "/uPlot.min.css", "/icon.svg"}) {
    EXPECT_THAT(page.body, HasSubstr(std::string("\"") + (file + 1) + "\""));
    EXPECT_EQ(get(p, file).status, 200) << file;
    EXPECT_EQ(post(p, file, "{}").status, 405) << file;
  }
  EXPECT_EQ(p.fetch(get_request("/app.js")).status, 200) << "on the main port the path is the provider's";
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Admin, EventsTellTheStatusAndWhatIsNewOfTheHistory) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  auto const client = waiting(p);
  tcp_client c(p.admin_port());
  c.send(get_request("/events"));
  auto const next = [&] {
    auto const line = c.read_until("\n\n");
    return boost::json::parse(line.substr(line.find("data: ") + 6));
  };
  auto const first = next();
  auto const& scope = first.at("status").at("scopes").at(0);
  EXPECT_EQ(scope.at("queued").to_number<int>(), 1);
  EXPECT_EQ(scope.at("held_by").at("code"), "tokens_minute");
  EXPECT_EQ(first.at("status").at("recent").at(0).at("status").to_number<int>(), 200);
  EXPECT_GE(first.at("history").at("scopes").at(0).at("time").as_array().size(), 1U);
  auto const second = next();
  for (auto const& s : second.at("history").at("scopes").as_array())
    EXPECT_LE(s.at("time").as_array().size(), 2U) << "only what is new";
}

TEST(Admin, EventsEndWithTheProxy) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  tcp_client c(p.admin_port());
  c.send(get_request("/events"));
  c.read_until("\n\n");
  p.program().signal(SIGTERM);
  EXPECT_EQ(p.program().wait(), 0);
  EXPECT_THAT(c.read_all(), ::testing::EndsWith("0\r\n\r\n"));
}

TEST(Admin, APausedModelWaitsAndGoesOnWhenResumed) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream);
  EXPECT_EQ(post(p, "/scopes/pause", R"({"model":"m"})").status, 404) << "nobody has asked for it yet";
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(post(p, "/scopes/pause", R"({"model":"m"})").status, 200);
  tcp_client held(p.port());
  held.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  EXPECT_EQ(upstream.count(), 1U);
  auto const key = p.status().at("scopes").at(0).at("credential").to_number<int>();
  EXPECT_EQ(post(p, "/scopes/resume", R"({"model":"m","credential":)" + std::to_string(key) + "}").status, 200);
  auto const answer = read_response(held, "POST");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("x-ratelimit-delay-reason"), "paused");
}

TEST(Admin, WhileAModelIsPausedNothingNamesATime) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, {{"cerebras.queue.keepalive_after", "100ms"}});
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(post(p, "/scopes/pause", R"({"model":"m"})").status, 200);
  tcp_client held(p.port());
  held.send(post_request("/v1/chat/completions", chat_body("m", 10, true)));
  EXPECT_THAT(held.read_until("queued"), ::testing::StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(held.read_until("\n\n"), HasSubstr(", position 1 (the model is paused)"));
  auto const scope = p.status().at("scopes").at(0);
  EXPECT_TRUE(scope.at("waiting").at(0).at("expected_in_seconds").is_null());
  auto const refused = p.fetch(chat("Prefer: wait=0\r\n"), "POST");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.field("retry-after"), "");
  EXPECT_EQ(refused.field("retry-after-ms"), "");
  EXPECT_THAT(refused.body, HasSubstr("The model is paused."));
  tcp_client other(p.port());
  other.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 2; }));
  EXPECT_EQ(post(p, "/scopes/resume", R"({"model":"m"})").status, 200);
  auto const answer = read_response(other, "POST");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("x-ratelimit-delay-reason"), "paused");
  EXPECT_EQ(answer.field("x-ratelimit-delay-forecast"), "");
}

TEST(Admin, StatusNamesTheLimitThatBinds) {
  fake_upstream upstream(
      [](auto const&, tcp_client& c) { return c.send(ok_response(completion(), token_headers(60000, 59000))); });
  proxy p(upstream, {{"cerebras.rpm_limit", "1"}});
  p.fetch(chat());
  tcp_client held(p.port());
  held.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  auto const status = p.status();
  auto const& binding = status.at("scopes").at(0).at("binding");
  EXPECT_EQ(binding.at("resource"), "requests");
  EXPECT_EQ(binding.at("window"), "minute");
  EXPECT_EQ(binding.at("limit").to_number<int>(), 1);
  EXPECT_LT(binding.at("remaining").to_number<double>(), 1);
}

TEST(Admin, ReloadSaysWhatIsWrong) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  EXPECT_EQ(post(p, "/reload", "{}").status, 200);
  EXPECT_EQ(p.metric("cooldown_reloads_total"), 1);
  std::ofstream(p.config_path()) << "server: {prot: 1}\n";
  auto const refused = post(p, "/reload", "{}");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("did you mean 'port'?"));
  EXPECT_EQ(p.metric("cooldown_reload_failures_total"), 1);
}

TEST(Admin, TheLogLevelChangesUntilTheNextReload) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  EXPECT_EQ(post(p, "/log-level", R"({"level":"error"})").status, 200);
  p.fetch(chat());
  EXPECT_EQ(post(p, "/log-level", R"({"level":"loud"})").status, 400);
  EXPECT_EQ(post(p, "/log-level", "level=info").status, 400);
  EXPECT_EQ(post(p, "/reload", "{}").status, 200);
  p.program().wait_for_line("configuration reloaded");
  EXPECT_THAT(p.program().output(), Not(HasSubstr(" access id=")));
}

TEST(Admin, ChangesNeedATypeThatOtherSitesCannotSend) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  for (auto const* fields : {"", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n",
                             "Content-Type: application/jsonp\r\n"})
    EXPECT_EQ(post(p, "/reload", "{}", fields).status, 415) << fields;
  EXPECT_EQ(post(p, "/reload", "{}", "Content-Type: application/json\r\nOrigin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(get(p, "/reload").status, 405);
  EXPECT_EQ(p.metric("cooldown_reloads_total"), 0);
}

TEST(Admin, ATokenGuardsEverythingButThePagesOwnFiles) {
  fake_upstream upstream(used_up());
  proxy p(upstream, {{"admin.token", "secret-token"}});
  EXPECT_EQ(get(p, "/").status, 200);
  EXPECT_EQ(get(p, "/app.js").status, 200);
  for (auto const* path : {"/events", "/status", "/metrics"}) EXPECT_EQ(get(p, path).status, 401) << path;
  EXPECT_EQ(post(p, "/reload", "{}").status, 401);
  EXPECT_EQ(get(p, "/status", "Authorization: Bearer secret-token\r\n").status, 200);
}

TEST(Admin, MetricsComeInOpenMetricsWhenAskedFor) {
  fake_upstream upstream(used_up());
  proxy p(upstream);
  p.fetch(chat());
  auto const open = get(p, "/metrics", "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n");
  EXPECT_EQ(open.field("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_THAT(open.body, HasSubstr("# TYPE cooldown_requests counter\n"));
  EXPECT_THAT(open.body, HasSubstr(R"(cooldown_requests_total{model="m",status="200",outcome="answered"} 1)"));
  EXPECT_THAT(open.body, ::testing::EndsWith("# EOF\n"));
  auto const plain = get(p, "/metrics");
  EXPECT_EQ(plain.field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(plain.body, HasSubstr("# TYPE cooldown_requests_total counter\n"));
  EXPECT_THAT(plain.body, HasSubstr("process_resident_memory_bytes "));
}
