// `check --online`: each account's provider is asked once, as the daemon would ask it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"
#include "support/tls.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

constexpr int unavailable = 69;
constexpr const char* models = R"({"object":"list","data":[]})";

std::string url_of(std::uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

struct CheckOnline : ::testing::Test {
  temporary_directory directory;

  /// `yaml` is of the providers.
  ended_process check(const std::string& yaml) const {
    auto const file = directory.file("config.yaml", yaml);
    return run_to_end(COOLDOWN_PROXY_PROGRAM, {"check", "--online", "-c", file}, {"CEREBRAS_API_KEY="});
  }
};

}  // namespace

TEST_F(CheckOnline, SaysWhatAnswersInWhichDialectAndWithWhichLimits) {
  fake_upstream groq([](auto const&, tcp_client& c) {
    return c.send(ok_response(models,
                              "x-ratelimit-limit-requests: 14400\r\nx-ratelimit-remaining-requests: 14000\r\n"
                              "x-ratelimit-limit-tokens: 6000\r\nx-ratelimit-remaining-tokens: 5900\r\n"));
  });
  auto const r = check("cerebras: {base_url: '" + url_of(groq.port()) +
                       "/openai/v1', dialect: groq, api_key: key-secret, rate_limits: {use_headers: true}}\n");
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_THAT(r.output,
              AllOf(HasSubstr(": OK\n"), HasSubstr("cerebras (127.0.0.1:"),
                    HasSubstr("the key in cerebras.api_key is sent): OK: answers GET /v1/models with status 200"),
                    HasSubstr("; dialect groq; limits in its headers: "), HasSubstr("6000 tokens a minute"),
                    Not(HasSubstr("key-secret"))));
  ASSERT_EQ(groq.count(), 1U);
  EXPECT_THAT(groq.seen()[0].head, AllOf(HasSubstr("GET /openai/v1/models HTTP/1.1\r\n"),
                                         HasSubstr("Authorization: Bearer key-secret\r\n")));
}

TEST_F(CheckOnline, AKeyThatIsRefusedIsToldByItsName) {
  fake_upstream provider([](auto const& r, tcp_client& c) {
    bool const good = r.head.find("Bearer key-one\r\n") != std::string::npos;
    return c.send(good ? ok_response(models) : ok_response(R"({"error":{"message":"wrong key: key-two"}})", "", 401));
  });
  auto const r = check("cerebras: {base_url: '" + url_of(provider.port()) + "', api_keys: [key-one, key-two]}\n");
  EXPECT_EQ(r.status, unavailable);
  EXPECT_THAT(r.output, AllOf(HasSubstr("cerebras/1 ("), HasSubstr("key 1 of cerebras.api_keys is sent): OK: "),
                              HasSubstr("key 2 of cerebras.api_keys is sent): refuses the key with status 401"),
                              Not(HasSubstr("key-one")), Not(HasSubstr("key-two"))));
  EXPECT_EQ(provider.count(), 2U);
}

TEST_F(CheckOnline, WhoeverIsNotThereIsToldBesideThoseThatAre) {
  fake_upstream provider([](auto const&, tcp_client& c) { return c.send(ok_response(models)); });
  auto const r = check("cerebras: {base_url: '" + url_of(provider.port()) +
                       "'}\nupstreams:\n  - {name: b, base_url: '" + url_of(closed_port()) + "', api_key: key-b}\n");
  EXPECT_EQ(r.status, unavailable);
  EXPECT_THAT(r.output, AllOf(HasSubstr("each client's own key is sent): OK: "),
                              HasSubstr("the key in upstreams[0].api_key is sent): cannot be used: connecting to ")));
}

TEST_F(CheckOnline, EachStatusIsSaidForWhatItMeans) {
  struct row {
    int status;
    const char* key;
    int code;
    const char* says;
  };
  row const rows[] = {
      {401, "", 0, "wants a key, which its clients have to send"},
      {402, "k", unavailable, "refuses the key with status 402"},
      {403, "k", unavailable, "refuses the key with status 403"},
      {404, "k", 0, "If completions get 404, too, base_url is wrong"},
      {429, "k", 0, "its quota is used up now"},
      {301, "k", unavailable, "cannot be used: answers GET /v1/models with status 301"},
      {503, "k", unavailable, "cannot be used: answers GET /v1/models with status 503"},
  };
  for (auto const& row : rows) {
    fake_upstream provider([&](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", row.status)); });
    auto const r = check("cerebras: {base_url: '" + url_of(provider.port()) + "', api_key: '" + row.key + "'}\n");
    EXPECT_EQ(r.status, row.code) << row.status << r.output;
    EXPECT_THAT(r.output, HasSubstr(row.says)) << row.status;
  }
}

TEST_F(CheckOnline, APageIsNoProviderAndSilenceNeither) {
  event never;
  fake_upstream silent([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  fake_upstream page([](auto const&, tcp_client& c) {
    return c.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi");
  });
  fake_upstream other([](auto const&, tcp_client& c) { return c.send("SSH-2.0\r\n\r\n"); });
  auto const r = check("cerebras: {base_url: '" + url_of(silent.port()) +
                       "', api_key: k, timeouts: {first_byte: 200ms}}\nupstreams:\n  - {name: page, base_url: '" +
                       url_of(page.port()) + "', api_key: k}\n  - {name: other, base_url: '" + url_of(other.port()) +
                       "', api_key: k}\n");
  EXPECT_EQ(r.status, unavailable);
  EXPECT_THAT(r.output,
              AllOf(HasSubstr("cannot be used: no answer within timeouts.first_byte"),
                    HasSubstr("but not with JSON: base_url may lead to a page"), HasSubstr("other (127.0.0.1:")));
  EXPECT_THAT(r.output, Not(HasSubstr("SSH")));
}

TEST_F(CheckOnline, AnthropicIsAskedInItsOwnWay) {
  fake_upstream provider([](auto const&, tcp_client& c) { return c.send(ok_response(models)); });
  EXPECT_EQ(
      check("cerebras: {base_url: '" + url_of(provider.port()) + "', dialect: anthropic, api_key: key-a}\n").status, 0);
  ASSERT_EQ(provider.count(), 1U);
  EXPECT_THAT(provider.seen()[0].head,
              AllOf(HasSubstr("x-api-key: key-a\r\n"), HasSubstr("anthropic-version: "), Not(HasSubstr("Bearer"))));
}

TEST_F(CheckOnline, CertificatesAreCheckedAsTheDaemonChecksThem) {
  authority const ours("ours");
  tls_upstream provider(ours.sign("DNS:localhost"),
                        [](const std::string&) { return tls_upstream::answer{ok_response(models)}; });
  auto const good =
      check("cerebras: {base_url: '" + provider.url() + "', api_key: key-a, tls: {ca_file: '" + ours.file() + "'}}\n");
  EXPECT_EQ(good.status, 0) << good.output;
  EXPECT_THAT(good.output, HasSubstr("): OK: "));
  auto const unknown = check("cerebras: {base_url: '" + provider.url() + "', api_key: key-a}\n");
  EXPECT_EQ(unknown.status, unavailable);
  EXPECT_THAT(unknown.output, HasSubstr("cannot be used: certificate of localhost: "));
  EXPECT_EQ(provider.requests(), 1U) << "no key is sent to whoever is not known";
}

TEST_F(CheckOnline, WithoutItNothingIsSent) {
  fake_upstream provider([](auto const&, tcp_client& c) { return c.send(ok_response(models)); });
  auto const file = directory.file("config.yaml", "cerebras: {base_url: '" + url_of(provider.port()) + "'}\n");
  EXPECT_EQ(run_to_end(COOLDOWN_PROXY_PROGRAM, {"check", "-c", file}).status, 0);
  EXPECT_EQ(provider.count(), 0U);
}
