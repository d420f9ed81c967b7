// `upstreams` and `routing`: providers and accounts besides the first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace cooldown::config {
namespace {

using ::testing::ElementsAre;
using testing::environment_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using testing::problems_of;
using testing::settings_of;

settings two_upstreams() {
  return settings_of(R"(
upstreams:
  - name: cerebras-b
    base_url: https://api.cerebras.ai
    api_key: ${B_KEY}
  - name: groq
    base_url: https://api.groq.com/openai/v1
    api_keys: ["${G_KEY}", gsk-2]
    models: {gpt-oss-120b: openai/gpt-oss-120b}
    limits: {default: {rpm: 30, tpm: 8000}}
    timeouts: {connect: 2s}
    tls: {ca_file: groq.pem}
    circuit_breaker: {failure_threshold: 3}
    retries: 1
    rate_limits: {use_headers: false, reset_buffer: 0}
)",
                     environment_of({{"B_KEY", "csk-b"}, {"G_KEY", "gsk-1"}}));
}

TEST(ConfigUpstreams, HaveTheKeysOfTheFirstThatConcernAProvider) {
  auto const s = two_upstreams();
  ASSERT_EQ(s.upstreams.size(), 2U);
  auto const& groq = s.upstreams[1];
  EXPECT_EQ(groq.name, "groq");
  EXPECT_EQ(groq.base_url.host, "api.groq.com");
  EXPECT_EQ(groq.base_url.prefix, "/openai/v1");
  EXPECT_THAT(groq.account_keys(), ElementsAre("gsk-1", "gsk-2"));
  EXPECT_EQ(groq.limits.at("*").tpm, 8'000U);
  EXPECT_EQ(groq.timeouts.connect, milliseconds(2'000));
  EXPECT_EQ(groq.timeouts.idle, timeout_settings{}.idle);
  EXPECT_EQ(groq.tls.ca_file, "groq.pem");
  EXPECT_EQ(groq.circuit_breaker.failure_threshold, 3U);
  EXPECT_EQ(groq.retries, 1U);
  EXPECT_FALSE(groq.rate_limits.use_headers);
  EXPECT_EQ(groq.rate_limits.reset_buffer, milliseconds(0));
  EXPECT_EQ(s.cerebras, settings_of("").cerebras);
}

TEST(ConfigUpstreams, TakeNothingFromTheFirst) {
  auto const s = settings_of(
      "cerebras: {api_key: csk-1, rpm_limit: 7, tls: {verify: false}}\n"
      "upstreams: [{name: b, base_url: 'https://b.example'}]\n");
  auto const& b = s.upstreams.at(0);
  EXPECT_THAT(b.account_keys(), ElementsAre(""));
  EXPECT_FALSE(b.pass_client_key);
  EXPECT_TRUE(b.tls.verify);
  EXPECT_EQ(b.rpm_limit, upstream_settings{}.rpm_limit);
  EXPECT_TRUE(b.rate_limits.use_headers);
  EXPECT_TRUE(s.cerebras.pass_client_key);
}

TEST(ConfigUpstreams, ServeAllModelsOrThoseNamed) {
  auto const s = two_upstreams();
  EXPECT_EQ(s.upstreams[0].name_here("gpt-oss-120b"), "gpt-oss-120b");
  EXPECT_EQ(s.upstreams[1].name_here("gpt-oss-120b"), "openai/gpt-oss-120b");
  EXPECT_EQ(s.upstreams[1].name_here("llama3.1-8b"), std::nullopt);
  auto const rest = settings_of(R"(cerebras: {models: {a: b, "*": "*"}})").cerebras;
  EXPECT_EQ(rest.name_here("a"), "b");
  EXPECT_EQ(rest.name_here("c"), "c");
}

TEST(ConfigUpstreams, TheFirstMayHaveSeveralAccounts) {
  auto const s = settings_of("cerebras: {api_keys: [csk-1, csk-2]}", environment_of({{"CEREBRAS_API_KEY", "csk-0"}}));
  EXPECT_EQ(s.cerebras.api_key, "csk-1");
  EXPECT_THAT(s.cerebras.account_keys(), ElementsAre("csk-1", "csk-2"));
  EXPECT_THAT(settings_of("cerebras: {api_key: csk-1}").cerebras.account_keys(), ElementsAre("csk-1"));
}

TEST(ConfigUpstreams, MistakesAreToldWithTheirPlaces) {
  EXPECT_THAT(
      problems_of(R"(upstreams:
  - name: a b
    base_url: https://a.example
    queue: {max_depth: 3}
    timeout: {connect: 1s}
    tls: {verify: maybe, models: {}}
  - base_url: ftp://b
    timeouts: {connect: }
  - name: cerebras
    base_url: https://c.example
    limits: {m: {rpn: 1}}
    models: {"*": x, y: "*", z: "a\"b"}
  - name: d
    base_url:
  - 7
)"),
      ElementsAre(
          "f:2:11: upstreams[0].name: must have between 1 and 32 letters, digits, '-', '_' or '.'; got 'a b'",
          HasSubstr("f:4:5: upstreams[0].queue: unknown key 'queue'; known here: name, base_url, dialect, api_key, "),
          "f:5:5: upstreams[0].timeout: unknown key 'timeout'; did you mean 'timeouts'?",
          HasSubstr("f:6:19: upstreams[0].tls.verify: "),
          "f:6:26: upstreams[0].tls.models: unknown key 'models'; it does not belong in 'tls', but beside it",
          "f:7:5: upstreams[1]: has no 'name': the log and the metrics call it by one",
          HasSubstr("f:7:15: upstreams[1].base_url: must begin with https:// or http://"),
          HasSubstr("f:8:16: upstreams[1].timeouts.connect: has no value"),
          "f:9:11: upstreams[2].name: another upstream has the name 'cerebras' already",
          HasSubstr("f:11:18: upstreams[2].limits.m.rpn: unknown key"),
          HasSubstr("f:12:19: upstreams[2].models.*: must be \"*\""),
          HasSubstr("f:12:25: upstreams[2].models.y: must be the name of one model"),
          HasSubstr("f:12:33: upstreams[2].models.z: must have between 1 and 256 bytes"),
          "f:14:5: upstreams[3].base_url: has no value",
          HasSubstr("f:15:5: upstreams[4]: expected a map (name, base_url, ")));
  EXPECT_THAT(problems_of("upstreams: {name: a}"),
              ElementsAre("f:1:12: upstreams: expected a list of upstreams, found a map"));
  EXPECT_THAT(problems_of("cerebras: {routing: {}}"),
              ElementsAre(HasSubstr("cerebras.routing: unknown key 'routing'")));
}

TEST(ConfigUpstreams, NeedANameOfTheirOwn) {
  EXPECT_THAT(problems_of("upstreams:\n  - {name: a, base_url: 'http://a'}\n  - {name: a, base_url: 'http://b'}\n"),
              ElementsAre("f:3:12: upstreams[1].name: another upstream has the name 'a' already"));
}

TEST(ConfigUpstreams, HaveOneKeyOrSeveralOrTheClients) {
  EXPECT_THAT(problems_of("upstreams: [{name: a, base_url: 'http://a', api_key: k, api_keys: [k, l]}]"),
              ElementsAre("f:1:67: upstreams[0].api_keys: must not be given with api_key; write all keys here"));
  EXPECT_THAT(problems_of("cerebras: {api_key: k, api_keys: [k, l]}"),
              ElementsAre(HasSubstr("cerebras.api_keys: must not be given with api_key")));
  EXPECT_THAT(problems_of("upstreams: [{name: a, base_url: 'http://a', api_key: k, pass_client_key: true}]"),
              ElementsAre(HasSubstr("upstreams[0].pass_client_key: must not be true with a key")));
  EXPECT_THAT(problems_of("upstreams: [{name: a, base_url: 'http://a', api_keys: ['']}]"),
              ElementsAre("f:1:56: upstreams[0].api_keys[0]: must not be empty (value hidden)"));
  EXPECT_THAT(problems_of("cerebras: {pass_client_key: true}"), ElementsAre(HasSubstr("unknown key")));
}

TEST(ConfigUpstreams, HaveNoKeyTwice) {
  EXPECT_THAT(
      problems_of("cerebras:\n  api_keys:\n    - csk-1\n    - csk-2\n    - ${K}\n", environment_of({{"K", "csk-1"}})),
      ElementsAre("f:5:7: cerebras.api_keys[2]: is the same key as cerebras.api_keys[0] (line 3): one account has "
                  "one quota; remove one of them (values hidden)"));
  EXPECT_THAT(problems_of("upstreams: [{name: a, base_url: 'http://a', api_keys: [k, k]}]"),
              ElementsAre(HasSubstr("upstreams[0].api_keys[1]: is the same key")));
}

TEST(ConfigUpstreams, AreNotThisProxy) {
  EXPECT_THAT(problems_of("upstreams:\n  - name: a\n    base_url: http://localhost:8080\n"),
              ElementsAre(HasSubstr("f:3:15: upstreams[0].base_url: must be the provider's address")));
}

TEST(ConfigUpstreams, ArePrintedAsTheyAreReadWithoutTheirKeys) {
  auto s = two_upstreams();
  s.cerebras.api_keys = {"csk-1", "csk-2"};
  s.cerebras.api_key = "csk-1";
  s.routing.spill_after.reset();
  auto const text = print(s);
  EXPECT_THAT(text, Not(HasSubstr("sk-")));
  auto again = settings_of(text);
  EXPECT_THAT(again.cerebras.account_keys(), ElementsAre("***", "***"));
  EXPECT_THAT(again.upstreams.at(1).account_keys(), ElementsAre("***", "***"));
  again.cerebras.api_keys = s.cerebras.api_keys;
  again.cerebras.api_key = s.cerebras.api_key;
  for (std::size_t i = 0; i < 2; ++i) {
    again.upstreams[i].api_key = s.upstreams[i].api_key;
    again.upstreams[i].api_keys = s.upstreams[i].api_keys;
  }
  EXPECT_EQ(again, s);
}

TEST(ConfigUpstreams, AreFewEnoughToKeepInMemory) {
  std::string many = "upstreams: [";
  for (int i = 0; i < 33; ++i) many += "{name: u" + std::to_string(i) + ", base_url: 'http://u'},";
  EXPECT_THAT(problems_of(many + "]"), ElementsAre("f:1:12: upstreams: must not have more than 32 upstreams"));
  std::string keys = "cerebras: {api_keys: [";
  for (int i = 0; i < 65; ++i) keys += "k" + std::to_string(i) + ",";
  EXPECT_THAT(problems_of(keys + "]}"), ElementsAre("f:1:22: cerebras.api_keys: must not have more than 64 keys"));
}

TEST(ConfigRouting, HasItsDefaultsAndCanBeSwitchedOff) {
  auto const s = settings_of("routing: {spill_after: off, min_gain: 500ms, sticky: off, on_failure: off}").routing;
  EXPECT_EQ(s.spill_after, std::nullopt);
  EXPECT_EQ(s.min_gain, milliseconds(500));
  EXPECT_FALSE(s.sticky);
  EXPECT_FALSE(s.next_on_failure);
  EXPECT_EQ(settings_of("").routing, routing_settings{});
  EXPECT_EQ(settings_of("routing: {spill_after: 5s}").routing.spill_after, milliseconds(5'000));
  EXPECT_THAT(problems_of("routing: {sticky: user}"), ElementsAre(HasSubstr("must be one of conversation, off")));
}

}  // namespace
}  // namespace cooldown::config
