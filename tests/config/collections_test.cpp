// The keys that hold more than one value: limits by model, fair shares, rules for clients.
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
using testing::problems_of;
using testing::settings_of;

TEST(ConfigLimits, StandByModelAndForTheRest) {
  for (std::string const rest : {"default", R"("*")"}) {
    auto const s = settings_of("cerebras:\n  limits:\n    llama3.1-8b: {rpm: 30, rph: 900, rpd: 14400}\n    " + rest +
                               ": {tpm: 60000, tph: 1000000, tpd: 1000000000000, total_tpm: 180000}\n");
    auto const& limits = s.cerebras.limits;
    ASSERT_EQ(limits.size(), 2U);
    auto const& model = limits.at("llama3.1-8b");
    EXPECT_EQ(model.rpm, 30U);
    EXPECT_EQ(model.rph, 900U);
    EXPECT_EQ(model.rpd, 14'400U);
    EXPECT_EQ(model.tpm, std::nullopt);
    auto const& others = limits.at("*");
    EXPECT_EQ(others.tpm, 60'000U);
    EXPECT_EQ(others.tph, 1'000'000U);
    EXPECT_EQ(others.total_tpm, 180'000U);
    EXPECT_EQ(others.tpd, 1'000'000'000'000U);
    EXPECT_EQ(others.rpm, std::nullopt);
  }
}

TEST(ConfigLimits, MayBeEmpty) {
  EXPECT_THAT(settings_of("cerebras: {limits: }").cerebras.limits, IsEmpty());
  EXPECT_EQ(settings_of("cerebras: {limits: {m: {}}}").cerebras.limits.at("m"), model_limits{});
}

TEST(ConfigLimits, TakeValuesFromTheEnvironment) {
  auto const s = settings_of("cerebras: {limits: {m: {rpm: '${RPM}'}}}", environment_of({{"RPM", "7"}}));
  EXPECT_EQ(s.cerebras.limits.at("m").rpm, 7U);
}

TEST(ConfigLimits, AllMistakesAreToldAtOnce) {
  EXPECT_THAT(problems_of("cerebras:\n"
                          "  limits:\n"
                          "    m:\n"
                          "      rpm: 0\n"
                          "      tpn: 5\n"
                          "      tpd: many\n"
                          "    n: 30\n"
                          "    default: {rpm: 1}\n"
                          "    \"*\": {rpm: 2}\n"
                          "    m: {}\n"
                          "    p: [1]\n"),
              ElementsAre("f:4:12: cerebras.limits.m.rpm: must be between 1 and 1000000000000; got '0'",
                          "f:5:7: cerebras.limits.m.tpn: unknown key 'tpn'; did you mean 'tpm'?",
                          "f:6:12: cerebras.limits.m.tpd: expected an integer, digits only; got 'many'",
                          "f:7:8: cerebras.limits.n: expected a map (rpm, rph, rpd, tpm, tph, tpd, total_tpm, "
                          "total_tph, total_tpd), found a single value",
                          "f:9:5: cerebras.limits.*: 'default' and '*' mean the same; give one of them",
                          "f:10:5: cerebras.limits.m: duplicate key; first given at line 3",
                          "f:11:8: cerebras.limits.p: expected a map (rpm, rph, rpd, tpm, tph, tpd, total_tpm, "
                          "total_tph, total_tpd), found a list"));
  EXPECT_THAT(problems_of("cerebras: {limits: 30}"),
              ElementsAre("f:1:20: cerebras.limits: expected a map of model names, found a single value"));
}

TEST(ConfigQueue, AgeingIsOffOrADuration) {
  EXPECT_EQ(settings_of("cerebras: {queue: {ageing: off}}").cerebras.queue.ageing, std::nullopt);
  EXPECT_EQ(settings_of("cerebras: {queue: {ageing: 5s}}").cerebras.queue.ageing, milliseconds(5000));
  EXPECT_EQ(settings{}.cerebras.queue.ageing, milliseconds(30'000));
}

TEST(ConfigQueue, ReplenishmentIsOneOfFour) {
  auto const of = [](const std::string& word) {
    return settings_of("cerebras: {rate_limits: {replenishment: " + word + "}}").cerebras.rate_limits.replenishment;
  };
  EXPECT_EQ(of("auto"), replenishment::automatic);
  EXPECT_EQ(of("window"), replenishment::window);
  EXPECT_EQ(of("continuous"), replenishment::continuous);
  EXPECT_EQ(of("sliding"), replenishment::sliding);
  EXPECT_EQ(settings{}.cerebras.rate_limits.replenishment, replenishment::automatic);
}

TEST(ConfigFairShare, IsAListOrOneWord) {
  auto const of = [](const std::string& value) {
    return settings_of("cerebras: {queue: {fair_share_by: " + value + "}}").cerebras.queue.fair_share_by;
  };
  EXPECT_EQ(of("[credential, address]"), (client_attributes{true, false, true, false}));
  EXPECT_EQ(of("[credential, session]"), (client_attributes{true, false, false, true}));
  EXPECT_EQ(of("user"), (client_attributes{false, true, false}));
  EXPECT_EQ(of("[]"), (client_attributes{false, false, false}));
  EXPECT_EQ(settings{}.cerebras.queue.fair_share_by, (client_attributes{true, true, true}));
}

TEST(ConfigFairShare, MistakesAreTold) {
  EXPECT_THAT(
      problems_of("cerebras:\n  queue:\n    fair_share_by: [adress, [user], key]\n"),
      ElementsAre(
          "f:3:21: cerebras.queue.fair_share_by: must be one of credential, user, address, session (did you "
          "mean 'address'?); got 'adress'",
          "f:3:29: cerebras.queue.fair_share_by: expected a word, found a list",
          "f:3:37: cerebras.queue.fair_share_by: must be one of credential, user, address, session; got 'key'"));
  EXPECT_THAT(
      problems_of("cerebras: {queue: {fair_share_by: }}"),
      ElementsAre(HasSubstr("has no value; remove the line to take the default ([credential, user, address])")));
  EXPECT_THAT(problems_of("cerebras: {queue: {fair_share_by: {user: true}}}"),
              ElementsAre(HasSubstr("expected a list, found a map")));
}

TEST(ConfigClients, RulesKeepTheirOrder) {
  auto const s = settings_of(R"(
cerebras:
  clients:
    - match: { credential: "${BATCH_KEY}", user: night }
      priority: 7
      weight: 0.25
    - match: { address: 10.0.0.0/8 }
    - match:
        address: "::1"
      weight: 1000
)",
                             environment_of({{"BATCH_KEY", "csk-batch"}}));
  auto const& c = s.cerebras.clients;
  ASSERT_EQ(c.size(), 3U);
  EXPECT_EQ(c[0].credential, "csk-batch");
  EXPECT_EQ(c[0].user, "night");
  EXPECT_EQ(c[0].address, std::nullopt);
  EXPECT_EQ(c[0].priority, 7U);
  EXPECT_EQ(c[0].weight, 0.25);
  EXPECT_TRUE(c[1].address->contains(*read_address("10.1.2.3")));
  EXPECT_FALSE(c[1].address->contains(*read_address("11.1.2.3")));
  EXPECT_EQ(c[1].priority, std::nullopt);
  EXPECT_EQ(c[1].weight, 1);
  EXPECT_TRUE(c[2].address->contains(*read_address("::1")));
  EXPECT_EQ(c[2].weight, 1000);
}

TEST(ConfigClients, AllMistakesAreToldAtOnce) {
  EXPECT_THAT(
      problems_of("cerebras:\n"
                  "  clients:\n"
                  "    - match: {}\n"
                  "      priority: 8\n"
                  "      weight: 0\n"
                  "    - priority: 1\n"
                  "    - match: {user: a, adress: 1.2.3.4}\n"
                  "      wait: 3\n"
                  "    - match: {address: 10.0.0.1/8}\n"
                  "    - match: {address: 10.0.0.0/33}\n"
                  "    - match: {address: host.example}\n"
                  "      weight: 1e3\n"
                  "    - batch\n"),
      ElementsAre(
          "f:3:14: cerebras.clients[0].match: needs at least one of credential, user, address",
          "f:4:17: cerebras.clients[0].priority: must be between 0 and 7; got '8'",
          "f:5:15: cerebras.clients[0].weight: must be between 0.001 and 1000; got '0'",
          "f:6:7: cerebras.clients[1]: has no 'match': say which clients it is for",
          "f:7:24: cerebras.clients[2].match.adress: unknown key 'adress'; did you mean 'address'?",
          "f:8:7: cerebras.clients[2].wait: unknown key 'wait'; known here: match, priority, highest_priority, weight, "
          "name",
          "f:9:24: cerebras.clients[3].match.address: has bits set beyond its prefix length; got '10.0.0.1/8'",
          "f:10:24: cerebras.clients[4].match.address: must have between 0 and 32 bits after the '/'; got "
          "'10.0.0.0/33'",
          "f:11:24: cerebras.clients[5].match.address: expected an IP address, or a block such as 10.0.0.0/8; got "
          "'host.example'",
          "f:12:15: cerebras.clients[5].weight: expected a number such as 2 or 0.25; got '1e3'",
          "f:13:7: cerebras.clients[6]: expected a map (match, priority, highest_priority, weight, name), found a "
          "single "
          "value"));
}

TEST(ConfigClients, CredentialsAreNeverShown) {
  for (auto const* value : {"'csk hush'", "'Bearer csk-hush'", "$hush", "['csk-hush']", "\"csk-hush\\n\\n x\""}) {
    auto const lines = problems_of(std::string("cerebras: {clients: [{match: {credential: ") + value + "}}]}");
    ASSERT_EQ(lines.size(), 1U) << value;
    EXPECT_THAT(lines[0], Not(HasSubstr("hush"))) << value;
  }
  EXPECT_THAT(problems_of("cerebras: {clients: [{match: {credential: ''}}]}"), ElementsAre(HasSubstr("not be empty")));
  EXPECT_THAT(problems_of("cerebras: {clients: [{match: {credential: '${NO}'}}]}"),
              ElementsAre(HasSubstr("environment variable NO is not set")));
}

TEST(ConfigTokens, AreAListOfSecrets) {
  EXPECT_THAT(settings_of("server: {auth_tokens: [a, '${T}']}", environment_of({{"T", "b"}})).server.auth_tokens,
              ElementsAre("a", "b"));
  EXPECT_TRUE(settings_of("server: {auth_tokens: []}").server.auth_tokens.empty());
  EXPECT_TRUE(settings_of("server: {auth_tokens:}").server.auth_tokens.empty());
  EXPECT_THAT(problems_of("server: {auth_tokens: a}"),
              ElementsAre("f:1:23: server.auth_tokens: expected a list of secrets, found a single value"));
  for (auto const* value : {"csk hush", "Bearer csk-hush", "{csk-hush: 1}", "[csk-hush]", "csk-hüsh"}) {
    auto const lines = problems_of(std::string("server: {auth_tokens: [a, ") + value + "]}");
    ASSERT_EQ(lines.size(), 1U) << value;
    EXPECT_THAT(lines[0], HasSubstr("server.auth_tokens[1]: ")) << value;
    EXPECT_THAT(lines[0], AllOf(Not(HasSubstr("hush")), Not(HasSubstr("hüsh")))) << value;
  }
  EXPECT_THAT(problems_of("server: {auth_tokens: ['', '${NO}']}"),
              ElementsAre(HasSubstr("auth_tokens[0]: must not be empty"), HasSubstr("NO is not set")));
}

TEST(ConfigOrigins, AreWhatBrowsersSend) {
  EXPECT_THAT(
      settings_of(R"(server: {allowed_origins: ["https://Chat.example", "http://[::1]:5173", "null", "*", "app://x"]})")
          .server.allowed_origins,
      ElementsAre("https://chat.example", "http://[::1]:5173", "null", "*", "app://x"));
  EXPECT_TRUE(settings_of("server: {allowed_origins:}").server.allowed_origins.empty());
  for (auto const* value : {"chat.example", "'https://chat.example/'", "'https://a/b'", "'://a'", "'https://'", "''",
                            "'https://a b'", "'https://a\"'", "[x]"}) {
    auto const lines = problems_of(std::string("server: {allowed_origins: [") + value + "]}");
    ASSERT_EQ(lines.size(), 1U) << value;
    EXPECT_THAT(lines[0], HasSubstr("server.allowed_origins[0]: ")) << value;
  }
  EXPECT_THAT(problems_of("server: {allowed_origins: 'https://a'}"),
              ElementsAre(HasSubstr("expected a list of origins, found a single value")));
}

TEST(ConfigHosts, AreNamesWithoutPort) {
  EXPECT_THAT(settings_of(R"(server: {allowed_hosts: ["LLM.example", "*", "cooldown-proxy"]})").server.allowed_hosts,
              ElementsAre("llm.example", "*", "cooldown-proxy"));
  EXPECT_TRUE(settings_of("server: {allowed_hosts:}").server.allowed_hosts.empty());
  for (auto const* value :
       {"'https://llm.example'", "'llm.example:8080'", "'a/b'", "''", "'a b'", "'*.example'", "[x]"}) {
    auto const lines = problems_of(std::string("server: {allowed_hosts: [") + value + "]}");
    ASSERT_EQ(lines.size(), 1U) << value;
    EXPECT_THAT(lines[0], HasSubstr("server.allowed_hosts[0]: ")) << value;
  }
  EXPECT_THAT(problems_of("server: {allowed_hosts: llm.example}"),
              ElementsAre(HasSubstr("expected a list of host names, found a single value")));
}

TEST(ConfigAdmin, BeyondLoopbackItNeedsAToken) {
  EXPECT_THAT(problems_of("admin:\n  host: 0.0.0.0"),
              ElementsAre("f:2:9: admin.host: is reachable from other machines: set admin.token, or use 127.0.0.1"));
  EXPECT_THAT(problems_of("admin:\n  token: ''\n  host: proxy.example"),
              ElementsAre(HasSubstr("f:3:9: admin.host: is reachable from other machines")));
  EXPECT_THAT(problems_of("admin: {host: 0.0.0.0, token: t}"), IsEmpty());
  for (auto const* host : {"127.0.0.2", "localhost", "'::1'", "'[::1]'", "LOCALHOST"})
    EXPECT_THAT(problems_of(std::string("admin: {host: ") + host + "}"), IsEmpty()) << host;
  EXPECT_THAT(problems_of("admin: {host: 0.0.0.0, token: 'a b'}"), ElementsAre(HasSubstr("admin.token")))
      << "one mistake is not told as two";
}

TEST(AddressRange, ComparesIPv4AndIPv6) {
  auto const range = [](std::string_view text) { return read_address_range(text).range.value(); };
  auto const address = [](std::string_view text) { return read_address(text).value(); };
  EXPECT_TRUE(range("192.0.2.7").contains(address("192.0.2.7")));
  EXPECT_TRUE(range("192.0.2.7").contains(address("::ffff:192.0.2.7")));
  EXPECT_FALSE(range("192.0.2.7").contains(address("192.0.2.6")));
  EXPECT_TRUE(range("192.0.2.4/30").contains(address("192.0.2.7")));
  EXPECT_FALSE(range("192.0.2.4/30").contains(address("192.0.2.8")));
  EXPECT_TRUE(range("0.0.0.0/0").contains(address("203.0.113.1")));
  EXPECT_FALSE(range("0.0.0.0/0").contains(address("2001:db8::1")));
  EXPECT_TRUE(range("::/0").contains(address("203.0.113.1"))) << "all there is";
  EXPECT_TRUE(range("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(range("2001:db8::/33").contains(address("2001:db8:8000::1")));
  EXPECT_TRUE(range("fe80::/10").contains(address("fe80::1%eth0")));
  for (auto const* bad :
       {"", "1.2.3", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/ 8", "::/129", "fe80::1%lo/64", "[::1]", "/8"})
    EXPECT_FALSE(read_address_range(bad).range) << bad;
}

TEST(ConfigClients, MayHaveNames) {
  auto const s = settings_of("cerebras: {clients: [{name: the night batch, match: {user: batch}}]}");
  EXPECT_EQ(s.cerebras.clients.at(0).name, "the night batch");
  auto const wrong = [](const std::string& rules) { return problems_of("cerebras: {clients: [" + rules + "]}"); };
  EXPECT_THAT(wrong("{name: '', match: {user: a}}"),
              ElementsAre(HasSubstr("clients[0].name: must have between 1 and 64 bytes")));
  EXPECT_THAT(wrong("{name: user ann, match: {user: a}}"),
              ElementsAre(HasSubstr("must not begin with 'user ' or 'key '")));
  EXPECT_THAT(wrong("{name: n, match: {user: a}}, {name: n, match: {user: b}}"),
              ElementsAre(HasSubstr("clients[1].name: another rule has the name 'n' already")));
}

}  // namespace
}  // namespace cooldown::config
