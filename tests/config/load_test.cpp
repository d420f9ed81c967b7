// What the loader accepts, and what it says about everything else.
#include <cstdio>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace cooldown::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::environment_of;
using ::testing::IsEmpty;
using testing::no_environment;
using testing::problems_of;
using testing::settings_of;

TEST(Config, AbsentKeysTakeTheirDefaults) {
  for (std::string_view const yaml :
       {"server:\ncerebras:\nadmin: {}\nlogging: ~\n", "cerebras: {queue: , tls: {}}", "cerebras: {rate_limits: }"})
    EXPECT_EQ(settings_of(yaml), settings{}) << yaml;
  settings const s;
  EXPECT_FALSE(s.cerebras.rate_limits.use_headers);
  EXPECT_TRUE(s.cerebras.rate_limits.header_fallback);
  EXPECT_EQ(s.cerebras.rate_limits.header_timeout, milliseconds(5000));
  EXPECT_EQ(s.cerebras.rate_limits.reset_buffer, milliseconds(100));
}

TEST(Config, WithoutASectionForTheProviderItsHeadersDecide) {
  settings expected;
  expected.cerebras.rate_limits.use_headers = true;
  for (std::string_view const yaml : {"", "\n\n", "# nothing\n", "---\n", "---\n...\n", "{}", "~", "null",
                                      "\xef\xbb\xbf", "server:\nadmin: {}\nlogging: ~\n"})
    EXPECT_EQ(settings_of(yaml), expected) << yaml;
  expected.server.port = 8090;
  EXPECT_EQ(settings_of("server: {port: 8090}"), expected);
  expected.features.header_based_rate_limiting = false;
  EXPECT_EQ(settings_of("server: {port: 8090}\nfeature_flags: {header_based_rate_limiting: false}"), expected);
}

TEST(Config, TheKeyOfTheEnvironmentIsTakenWhereTheFileNamesNone) {
  auto const env = environment_of({{"CEREBRAS_API_KEY", "csk-1"}, {"OTHER", "csk-2"}, {"NONE", ""}});
  auto const key = [&](std::string_view yaml) { return settings_of(yaml, env).cerebras.api_key; };
  for (std::string_view const yaml : {"", "server: {port: 8090}", "cerebras:", "cerebras: {rpm_limit: 10}"})
    EXPECT_EQ(key(yaml), "csk-1") << yaml;
  EXPECT_EQ(key("cerebras: {api_key: csk-3}"), "csk-3");
  EXPECT_EQ(key("cerebras: {api_key: \"${OTHER}\"}"), "csk-2");
  for (std::string_view const yaml :
       {"cerebras: {api_key: ''}", "cerebras:\n  api_key:\n", "cerebras: {api_key: \"${NONE}\"}"})
    EXPECT_EQ(key(yaml), "") << yaml << ": the clients' own keys are to go through";
  for (auto const& [value, expected] : {std::pair{"", ""}, std::pair{"k\n", "k"}})
    EXPECT_EQ(settings_of("", environment_of({{"CEREBRAS_API_KEY", value}})).cerebras.api_key, expected);
}

TEST(Config, AKeyOfTheEnvironmentThatCannotBeUsedIsNamed) {
  auto const env = environment_of({{"CEREBRAS_API_KEY", "Bearer csk-1"}});
  EXPECT_THAT(problems_of("server: {port: 8090}", env),
              ElementsAre("f: CEREBRAS_API_KEY: must be the key alone, without 'Bearer ' (value hidden)"));
  EXPECT_THAT(problems_of("cerebras: {api_key: csk-2}", env), IsEmpty());
}

TEST(Config, EveryKeyReachesItsField) {
  auto const s = settings_of(R"(
server:   { host: 0.0.0.0, port: 1, max_connections: 2, max_header_size: 3KiB, max_body_size: 4KiB,
            header_timeout: 5s, body_timeout: 6s, idle_timeout: 7s, drain_timeout: 8s,
            auth_tokens: [a, b], allowed_origins: ["*", "http://A.b:1"],
            allowed_hosts: ["*", "C.d"], core_dumps: true,
            tls: { certificate_file: c.pem, key_file: c.key, min_version: 1.3 } }
cerebras:
  base_url: http://localhost:9/p
  api_key: k
  rpm_limit: 10
  tpm_limit: 11
  rate_limits: { use_headers: true, header_fallback: false, header_timeout: 12s, reset_buffer: 13ms, replenishment: sliding }
  queue:    { max_depth: 14, max_bytes: 15KiB, max_wait: 16s, max_in_flight: 17, keepalive_after: 18s,
            ageing: 26s, default_priority: 5, highest_priority: 2, fair_share_by: [user] }
  limits:   { m: { rpm: 27, tpd: 28 } }
  clients:  [{ match: { user: u }, priority: 1, weight: 2.5, highest_priority: 0 }]
  retries: 9
  circuit_breaker: { failure_threshold: 19, open_for: 20s, half_open_requests: 21 }
  timeouts: { connect: 22s, first_byte: 23s, idle: 24s }
  tls:      { verify: false, ca_file: a.pem, server_name: B.example }
feature_flags: { header_based_rate_limiting: false }
admin:    { host: "::1", port: 25, token: t }
logging:  { level: debug, format: json, file: /var/log/c.log }
)");
  using std::chrono::seconds;
  settings expected;
  expected.server = {"0.0.0.0",
                     1,
                     2,
                     3072,
                     4096,
                     seconds(5),
                     seconds(6),
                     seconds(7),
                     seconds(8),
                     {"a", "b"},
                     {"*", "http://a.b:1"},
                     {"*", "c.d"},
                     true,
                     {"c.pem", "c.key", tls_version::v1_3}};
  auto& c = expected.cerebras;
  c.base_url = {false, "localhost", 9, "/p"};
  c.api_key = "k";
  c.rpm_limit = 10;
  c.tpm_limit = 11;
  c.rate_limits = {true, false, seconds(12), milliseconds(13), replenishment::sliding, {}};
  c.queue = {14, 15360, seconds(16), 17, seconds(18), seconds(26), 5, 2, {false, true, false}};
  c.limits["m"].rpm = 27;
  c.limits["m"].tpd = 28;
  c.clients.push_back({std::nullopt, "u", std::nullopt, 1U, 2.5, 0U});
  c.retries = 9;
  c.circuit_breaker = {19, seconds(20), 21};
  c.timeouts = {seconds(22), seconds(23), seconds(24)};
  c.tls = {false, "a.pem", "b.example"};
  expected.features = {false};
  expected.admin = {"::1", 25, "t"};
  expected.logging = {log_level::debug, log_format::json, "/var/log/c.log"};
  EXPECT_EQ(s, expected);
}

TEST(Config, EveryLimitOfARangeIsWithinIt) {
  EXPECT_THAT(problems_of("server: {port: 0, max_connections: 1000000, max_header_size: 1KiB, max_body_size: 4GiB,\n"
                          "  header_timeout: 1ms, body_timeout: 24h, drain_timeout: 0}\n"
                          "cerebras: {rpm_limit: 1, tpm_limit: 1000000000000, retries: 0,\n"
                          "  queue: {max_bytes: 1TiB, max_depth: 0, max_wait: 0, keepalive_after: 100ms}}\n"
                          "admin: {port: 65535}\n"),
              IsEmpty());
}

TEST(Config, KeysHaveAPlace) {
  auto const* const yaml = "server: {port: 1}\ncerebras:\n  tls:\n    ca_file: x\n";
  EXPECT_EQ(place_of("cerebras.tls.ca_file", yaml), ":4:14");
  EXPECT_EQ(place_of("server.port", yaml), ":1:16");
  EXPECT_EQ(place_of("server.port.x", yaml), "");
  EXPECT_EQ(place_of("logging.file", yaml), "");
  EXPECT_EQ(place_of("logging.file", "[1, 2]"), "");
  EXPECT_EQ(place_of("logging.file", "a: b: c"), "") << "not YAML";
  auto const* const several = "upstreams:\n  - name: a\n  - name: b\n    tls: {ca_file: x}\n";
  EXPECT_EQ(place_of("upstreams[1].tls.ca_file", several), ":4:20");
  EXPECT_EQ(place_of("upstreams[0].tls.ca_file", several), "");
  EXPECT_EQ(place_of("upstreams[2].name", several), "");
  EXPECT_EQ(place_of("upstreams[].name", several), "");
  EXPECT_EQ(place_of("upstreams[1", several), "");
}

TEST(Config, KeepaliveIsOffAutoOrADuration) {
  EXPECT_EQ(settings_of("cerebras: {queue: {keepalive_after: auto}}").cerebras.queue.keepalive_after, by_the_client);
  EXPECT_EQ(settings_of("cerebras: {queue: {keepalive_after: off}}").cerebras.queue.keepalive_after, std::nullopt);
  EXPECT_EQ(settings_of("cerebras: {queue: {keepalive_after: 15s}}").cerebras.queue.keepalive_after,
            milliseconds(15'000));
  EXPECT_THAT(
      problems_of("cerebras: {queue: {keepalive_after: 0}}"),
      ElementsAre("f:1:37: cerebras.queue.keepalive_after: must be between 100ms and 1h, or off, or auto; got '0'"));
}

struct bad_case {
  std::string_view yaml;
  std::string_view problem;
};

// GoogleTest finds it by its name.
void PrintTo(const bad_case& c, std::ostream* out) {
  *out << c.yaml;
}

class ConfigProblem : public ::testing::TestWithParam<bad_case> {};

TEST_P(ConfigProblem, IsToldWithItsPlaceAndItsMend) {
  EXPECT_THAT(problems_of(GetParam().yaml), ElementsAre(GetParam().problem)) << GetParam().yaml;
}

INSTANTIATE_TEST_SUITE_P(
    Keys, ConfigProblem,
    ::testing::Values(
        bad_case{"serv: {}", "f:1:1: serv: unknown key 'serv'; did you mean 'server'?"},
        bad_case{"Server: {}", "f:1:1: Server: unknown key 'Server'; did you mean 'server'?"},
        bad_case{"log: {}", "f:1:1: log: unknown key 'log'; did you mean 'logging'?"},
        bad_case{"features: {}", "f:1:1: features: unknown key 'features'; did you mean 'feature_flags'?"},
        bad_case{"cerebras:\n  tmp_limit: 1\n",
                 "f:2:3: cerebras.tmp_limit: unknown key 'tmp_limit'; did you mean 'tpm_limit'?"},
        bad_case{"cerebras:\n  queue:\n    maxdepth: 1\n",
                 "f:3:5: cerebras.queue.maxdepth: unknown key 'maxdepth'; did you mean 'max_depth'?"},
        bad_case{"port: 1", "f:1:1: port: unknown key 'port'; it belongs in 'server' or 'admin'"},
        bad_case{"cerebras: {max_depth: 1}",
                 "f:1:12: cerebras.max_depth: unknown key 'max_depth'; it belongs in 'cerebras.queue'"},
        bad_case{"cerebras: {rate_limits.use_headers: true}",
                 "f:1:12: cerebras.rate_limits.use_headers: unknown key 'rate_limits.use_headers'; write one map in "
                 "another instead of dots"},
        bad_case{"<<: {port: 1}", "f:1:1: <<: merge keys (<<) are not supported; write the keys out"},
        bad_case{"logging: {x\xc3\xa4\xe2\x80\xae: 1}",
                 "f:1:11: logging.x\\xc3\\xa4\\xe2\\x80\\xae: unknown key 'x\\xc3\\xa4\\xe2\\x80\\xae'; known here: "
                 "level, format, file"},
        bad_case{"logging: {'': 1}", "f:1:11: logging.: unknown key ''; known here: level, format, file"},
        bad_case{"cerebras: {api_key:abc}",
                 "f:1:12: cerebras: unknown key (name hidden); a key is followed by ':' and a space"},
        bad_case{"? [a]\n: 1\n", "f:1:3: expected the name of a key, found a list"},
        bad_case{"~: 1\n", "f:1:1: expected the name of a key, found nothing"},
        bad_case{"admin:\n  port: 1\n  host: localhost\n  port: 2\n",
                 "f:4:3: admin.port: duplicate key; first given at line 2"},
        bad_case{"admin: {}\nlogging: {}\n'admin': {}\n", "f:3:1: admin: duplicate key; first given at line 1"}));

INSTANTIATE_TEST_SUITE_P(
    Kinds, ConfigProblem,
    ::testing::Values(
        bad_case{"- a",
                 "f:1:1: expected a map (server, cerebras, upstreams, routing, feature_flags, admin, state, logging), "
                 "found a "
                 "list"},
        bad_case{"text",
                 "f:1:1: expected a map (server, cerebras, upstreams, routing, feature_flags, admin, state, logging), "
                 "found a "
                 "single value"},
        bad_case{"admin: 8081", "f:1:8: admin: expected a map (host, port, token), found a single value"},
        bad_case{"admin:\n- host\n", "f:2:1: admin: expected a map (host, port, token), found a list"},
        bad_case{"admin: {port: [1]}", "f:1:15: admin.port: expected an integer, found a list"},
        bad_case{"cerebras: {base_url: {a: b}}", "f:1:22: cerebras.base_url: expected a URL, found a map"},
        bad_case{"server: {body_timeout: []}", "f:1:24: server.body_timeout: expected a duration, found a list"},
        bad_case{"admin:\n  port:\n  host: localhost\n",
                 "f:2:3: admin.port: has no value; remove the line to take the default (8081)"},
        bad_case{"admin: {port: ~}", "f:1:9: admin.port: has no value; remove the line to take the default (8081)"},
        bad_case{"admin: {port: ''}", "f:1:15: admin.port: expected an integer, digits only; got ''"},
        bad_case{"admin: {port: 8O81}", "f:1:15: admin.port: expected an integer, digits only; got '8O81'"},
        bad_case{"admin: {port: 65536}", "f:1:15: admin.port: must be between 0 and 65535; got '65536'"},
        bad_case{"admin: {port: -1}", "f:1:15: admin.port: must be between 0 and 65535; got '-1'"},
        bad_case{"cerebras: {rpm_limit: 0}",
                 "f:1:23: cerebras.rpm_limit: must be between 1 and 1000000000000; got '0'"},
        bad_case{"cerebras: {retries: 11}", "f:1:21: cerebras.retries: must be between 0 and 10; got '11'"},
        bad_case{"server: {idle_timeout: 0s}", "f:1:24: server.idle_timeout: must be between 1ms and 24h; got '0s'"},
        bad_case{"server: {idle_timeout: 10}",
                 "f:1:24: server.idle_timeout: a duration needs its unit: say '10s' or '10ms'; got '10'"},
        bad_case{"server: {idle_timeout: 5 s}",
                 "f:1:24: server.idle_timeout: expected a duration such as 250ms, 10s, 5m or 1h30m; got '5 s'"},
        bad_case{"server: {max_header_size: 64K}",
                 "f:1:27: server.max_header_size: expected a size such as 64KiB, 32MiB or 1GiB, or a number of bytes; "
                 "got '64K'"},
        bad_case{"server: {max_header_size: 2MiB}",
                 "f:1:27: server.max_header_size: must be between 1KiB and 1MiB; got '2MiB'"},
        bad_case{"server: {tls: {certificate_file: a.pem}}",
                 "f:1:34: server.tls.key_file: must be given too: TLS needs it with server.tls.certificate_file"},
        bad_case{"server: {tls: {certificate_file: '', key_file: a.key}}",
                 "f:1:48: server.tls.certificate_file: must be given too: TLS needs it with server.tls.key_file"},
        bad_case{"server: {tls: {min_version: 1.1}}",
                 "f:1:29: server.tls.min_version: must be one of 1.2, 1.3 (did you mean '1.2'?); got '1.1'"},
        bad_case{"cerebras: {tls: {verify: yes}}", "f:1:26: cerebras.tls.verify: expected true or false; got 'yes'"},
        bad_case{"cerebras: {tls: {ca_file: \"a\\nb\"}}",
                 "f:1:27: cerebras.tls.ca_file: must not contain control characters; got 'a\\x0ab'"},
        bad_case{"logging: {level: loud}",
                 "f:1:18: logging.level: must be one of trace, debug, info, warn, error, off; got 'loud'"},
        bad_case{"logging: {level: warning}",
                 "f:1:18: logging.level: must be one of trace, debug, info, warn, error, off (did you mean 'warn'?); "
                 "got 'warning'"},
        bad_case{"logging: {format: JSON}",
                 "f:1:19: logging.format: must be one of text, json (did you mean 'json'?); got 'JSON'"}));

INSTANTIATE_TEST_SUITE_P(
    Secrets, ConfigProblem,
    ::testing::Values(
        bad_case{"cerebras: {api_key: \"a\\r\\nX-Evil: 1\"}",
                 "f:1:21: cerebras.api_key: must be visible ASCII characters only: no spaces, line breaks or other "
                 "control characters (value hidden)"},
        bad_case{"cerebras: {api_key: \"a\\0\"}",
                 "f:1:21: cerebras.api_key: must be visible ASCII characters only: no spaces, line breaks or other "
                 "control characters (value hidden)"},
        bad_case{"cerebras: {api_key: k\xc3\xa9y}",
                 "f:1:21: cerebras.api_key: must be visible ASCII characters only: no spaces, line breaks or other "
                 "control characters (value hidden)"},
        bad_case{"cerebras: {api_key: ' k'}",
                 "f:1:21: cerebras.api_key: must not begin or end with white space (value hidden)"},
        bad_case{"cerebras: {api_key: \"k\\t\"}",
                 "f:1:21: cerebras.api_key: must not begin or end with white space (value hidden)"},
        bad_case{"cerebras: {api_key: Bearer k}",
                 "f:1:21: cerebras.api_key: must be the key alone, without 'Bearer ' (value hidden)"},
        bad_case{"cerebras: {api_key: '\"k\"'}", "f:1:21: cerebras.api_key: must not keep its quotes (value hidden)"},
        bad_case{"cerebras: {api_key: $KEY}",
                 "f:1:21: cerebras.api_key: write ${NAME} for the value of a variable, or '$$' for a plain '$' "
                 "(value hidden)"},
        bad_case{"cerebras:\n  api_key: ${KEY}\n",
                 "f:2:12: cerebras.api_key: environment variable KEY is not set; set it, or write ${KEY:-} to do "
                 "without"}));

INSTANTIATE_TEST_SUITE_P(
    Yaml, ConfigProblem,
    ::testing::Values(
        bad_case{"admin:\n\tport: 1\n", "f:2:6: not valid YAML: a tab is used for indentation; use spaces"},
        bad_case{"admin: {port: 1",
                 "f:1:16: not valid YAML: '{' without its '}', or a ',' is missing, or a ${NAME} in it needs quotes"},
        bad_case{"admin: [1\n", "f:1:10: not valid YAML: '[' without its ']', or a ',' is missing"},
        bad_case{"admin:\n  host: \"h\n  port: 1\n\n", "f:3:10: not valid YAML: a quote is not closed"},
        bad_case{
            "admin:\n  host: a: b\n",
            "f:2:10: not valid YAML: unexpected ':'; a value that contains ': ' needs quotes, and keys of one map are "
            "indented alike"},
        bad_case{"[server]\nport = 1\n",
                 "f:1:1: this is not YAML: write 'server:' instead of '[server]', and 'port: 1'"},
        bad_case{"server: {host: [::1]}\n",
                 "f:1:16: server.host: expected a host, found a list; an IPv6 address in brackets needs quotes"},
        bad_case{"admin:\n  port: 1\n host: h\n",
                 "f:3:2: not valid YAML: the keys of this map are not indented alike, or a line has no ':'"},
        bad_case{"admin:\n  host: @h\n",
                 "f:2:9: not valid YAML: unexpected character; a value that begins with '@', '`' or '%' needs quotes"},
        bad_case{"admin:\n  host: *h\n", "f:2:9: not valid YAML: a value that begins with '*' needs quotes"},
        bad_case{"admin:\n  host: &h\n",
                 "f:2:9: admin.host: anchors are not supported; a value that begins with '&' needs quotes"},
        bad_case{"admin:\n  host: !h\n",
                 "f:2:9: admin.host: tags are not supported; a value that begins with '!' needs quotes"},
        bad_case{"{}\n---\n{}\n", "f:2:1: only one document is allowed; a second one begins here"},
        bad_case{"admin: {}\x04\n", "f:1:10: control characters are not allowed"},
        bad_case{"\xff\xfe{", "f:1:1: not UTF-8 text; save the file as UTF-8"},
        bad_case{"a: \"\\q\"", "f:1:7: not valid YAML: unknown escape character"}));

INSTANTIATE_TEST_SUITE_P(
    Rules, ConfigProblem,
    ::testing::Values(
        bad_case{"server: {port: 9}\nadmin: {port: 9}\n",
                 "f:2:15: admin.port: must not be the port that server.port has on the same host"},
        bad_case{"server: {port: 8081}",
                 "f:1:16: server.port: must not be the port that admin.port has on the same host"},
        bad_case{"server: {port: 8081, host: 0.0.0.0}",
                 "f:1:16: server.port: must not be the port that admin.port has on the same host"},
        bad_case{"server: {port: 8081, host: '::'}",
                 "f:1:16: server.port: must not be the port that admin.port has on the same host"},
        bad_case{"server: {port: 8081, host: LOCALHOST}",
                 "f:1:16: server.port: must not be the port that admin.port has on the same host"},
        bad_case{"server: {max_body_size: 257MiB}",
                 "f:1:25: server.max_body_size: must be at most cerebras.queue.max_bytes (256MiB), or the largest "
                 "request could never wait"},
        bad_case{"cerebras: {queue: {max_bytes: 1MiB}}",
                 "f:1:31: cerebras.queue.max_bytes: must be at least server.max_body_size (32MiB), or the largest "
                 "request could never wait"}));

TEST(Config, TheProviderIsNotTheProxyItself) {
  struct {
    std::string_view host;
    std::string_view url;
  } const table[] = {{"127.0.0.1", "http://127.0.0.1:8080"},
                     {"127.0.0.1", "http://LOCALHOST:8080/v1"},
                     {"127.0.0.1", "https://localhost:8080/openai/v1"},
                     {"127.0.0.1", "http://0.0.0.0:8080"},
                     {"127.0.0.1", "http://[::ffff:127.0.0.1]:8080"},
                     {"127.0.0.1", "http://llm.localhost:8080"},
                     {"127.0.0.1", "http://localhost.localdomain:8080"},
                     {"127.0.0.1", "http://0x7f000001:8080"},
                     {"localhost", "http://127.0.0.1:8080"},
                     {"localhost", "http://[::1]:8080"},
                     {"'::1'", "http://localhost:8080"},
                     {"'::1'", "http://ip6-localhost:8080"},
                     {"'::1'", "http://[0:0:0:0:0:0:0:1]:8080"},
                     {"'::1'", "http://[::]:8080"},
                     {"'::'", "http://127.0.0.1:8080"},
                     {"'::'", "http://[::1]:8080"},
                     {"0.0.0.0", "http://localhost:8080"},
                     {"0.0.0.0", "http://127.8.9.10:8080"},
                     {"0.0.0.0", "http://0.0.0.0:8080"},
                     {"192.0.2.1", "http://192.0.2.1:8080"},
                     {"proxy.example", "http://Proxy.example:8080"}};
  for (auto const& row : table)
    EXPECT_THAT(problems_of("server: {host: " + std::string(row.host) + "}\ncerebras: {base_url: '" +
                            std::string(row.url) + "'}"),
                ElementsAre("f:2:22: cerebras.base_url: must be the provider's address, not that of this proxy "
                            "(server.host and server.port): every request would come back to it"))
        << row.host << ' ' << row.url;
  EXPECT_THAT(problems_of("cerebras: {base_url: 'http://localhost:8081'}"),
              ElementsAre("f:1:22: cerebras.base_url: must be the provider's address, not that of this proxy "
                          "(admin.host and admin.port): every request would come back to it"));
}

TEST(Config, TheProviderMayBeOnThisMachine) {
  for (std::string_view const yaml :
       {"cerebras: {base_url: 'http://127.0.0.1:8082'}", "cerebras: {base_url: 'http://127.0.0.2:8080'}",
        "cerebras: {base_url: 'http://[::1]:8080'}", "cerebras: {base_url: 'http://localhost'}",
        "server: {port: 0}\ncerebras: {base_url: 'http://127.0.0.1:8080'}",
        "server: {host: '::1'}\ncerebras: {base_url: 'http://127.0.0.1:8080'}",
        "server: {host: 0.0.0.0}\ncerebras: {base_url: 'http://llm.example:8080'}"})
    EXPECT_THAT(problems_of(yaml), IsEmpty()) << yaml;
}

TEST(Config, PortsMayBeEqualOnDifferentHostsOrFree) {
  for (std::string_view const yaml :
       {"server: {port: 0}\nadmin: {port: 0}", "server: {port: 8081, host: 127.0.0.2}",
        "server: {port: 8081, host: '::1'}", "server: {port: 9, host: 0.0.0.0}\nadmin: {port: 9, host: '::1'}"})
    EXPECT_THAT(problems_of(yaml), IsEmpty()) << yaml;
}

TEST(Config, RulesBetweenKeysWaitUntilBothAreRight) {
  EXPECT_THAT(problems_of("server: {port: x, max_body_size: 1PiB}\nadmin: {port: 8080}\n"),
              ElementsAre("f:1:16: server.port: expected an integer, digits only; got 'x'",
                          "f:1:34: server.max_body_size: expected a size such as 64KiB, 32MiB or 1GiB, or a number of "
                          "bytes; got '1PiB'"));
}

TEST(Config, RulesBetweenKeysWaitUntilTheirSectionsAreRight) {
  EXPECT_THAT(problems_of("server: 5\nadmin: {port: 8080}\n").size(), 1U);
}

TEST(Config, EveryProblemIsFoundInOnePassInOrder) {
  EXPECT_THAT(
      problems_of("logging:\n"
                  "  level: loud\n"
                  "admin: 1\n"
                  "cerebras:\n"
                  "  queue: {max_depth: -1, depth: 2, max_wait: 10}\n"
                  "  queue: {max_in_flight: x}\n"
                  "port: 1\n"),
      ElementsAre("f:2:10: logging.level: must be one of trace, debug, info, warn, error, off; got 'loud'",
                  "f:3:8: admin: expected a map (host, port, token), found a single value",
                  "f:5:22: cerebras.queue.max_depth: must be between 0 and 1000000; got '-1'",
                  "f:5:26: cerebras.queue.depth: unknown key 'depth'; known here: max_depth, max_bytes, "
                  "max_wait, max_in_flight, keepalive_after, ageing, default_priority, highest_priority, fair_share_by",
                  "f:5:46: cerebras.queue.max_wait: a duration needs its unit: say '10s' or '10ms'; got '10'",
                  "f:6:3: cerebras.queue: duplicate key; first given at line 5",
                  "f:6:26: cerebras.queue.max_in_flight: expected an integer, digits only; got 'x'",
                  "f:7:1: port: unknown key 'port'; it belongs in 'server' or 'admin'"));
}

TEST(Config, ALineEndAfterAKeyIsDropped) {
  auto const env = environment_of({{"LF", "k\n"}, {"CRLF", "k\r\n"}});
  EXPECT_EQ(settings_of("cerebras: {api_key: \"${LF}\"}", env).cerebras.api_key, "k");
  EXPECT_EQ(settings_of("cerebras: {api_key: \"${CRLF}\"}", env).cerebras.api_key, "k");
  EXPECT_EQ(settings_of("cerebras:\n  api_key: |\n    k\n").cerebras.api_key, "k");
}

TEST(Config, AnEmptyKeyIsNoKey) {
  for (std::string_view const yaml : {"cerebras: {api_key: ''}", "cerebras:\n  api_key:\n", "cerebras: {api_key: ~}",
                                      "cerebras: {api_key: \"${GONE:-}\"}"})
    EXPECT_EQ(settings_of(yaml).cerebras.api_key, "") << yaml;
}

TEST(Config, UrlsGiveOrigins) {
  struct {
    std::string_view url;
    origin value;
    std::string_view authority;
  } const table[] = {{"https://api.cerebras.ai", {true, "api.cerebras.ai", 443, ""}, "api.cerebras.ai"},
                     {"HTTPS://API.Cerebras.AI/", {true, "api.cerebras.ai", 443, ""}, "api.cerebras.ai"},
                     {"https://h/v1", {true, "h", 443, ""}, "h"},
                     {"https://h/v1/", {true, "h", 443, ""}, "h"},
                     {"https://h/v10", {true, "h", 443, "/v10"}, "h"},
                     {"https://h/v1/x", {true, "h", 443, "/v1/x"}, "h"},
                     {"https://h/gateway/v1", {true, "h", 443, "/gateway/v1"}, "h"},
                     {"https://h:8443/a/b/", {true, "h", 8443, "/a/b"}, "h:8443"},
                     {"https://h/a%20b", {true, "h", 443, "/a%20b"}, "h"},
                     {"http://127.0.0.1:80", {false, "127.0.0.1", 80, ""}, "127.0.0.1"},
                     {"http://h:443", {false, "h", 443, ""}, "h:443"},
                     {"https://h:80", {true, "h", 80, ""}, "h:80"},
                     {"http://[::1]", {false, "::1", 80, ""}, "[::1]"},
                     {"http://[::FFFF:1.2.3.4]:9000/x", {false, "::ffff:1.2.3.4", 9000, "/x"}, "[::ffff:1.2.3.4]:9000"},
                     {"http://my_host", {false, "my_host", 80, ""}, "my_host"}};
  for (auto const& row : table) {
    auto const s = settings_of("cerebras: {base_url: '" + std::string(row.url) + "'}");
    EXPECT_EQ(s.cerebras.base_url, row.value) << row.url;
    EXPECT_EQ(s.cerebras.base_url.authority(), row.authority) << row.url;
  }
}

TEST(Config, ThePathOfTheUrlGoesBeforeTheClientsOrTakesThePlaceOfItsVersion) {
  struct {
    std::string_view url;
    std::string_view target;
    std::string_view sent;
  } const table[] = {{"https://h", "/v1/models", "/v1/models"},
                     {"https://h/", "/v1/models", "/v1/models"},
                     {"https://h/v1", "/v1/models", "/v1/models"},
                     {"https://h/v1/", "/v1/models", "/v1/models"},
                     {"https://h/openai/v1", "/v1/chat/completions", "/openai/v1/chat/completions"},
                     {"https://h/openai/v1/", "/v1/chat/completions", "/openai/v1/chat/completions"},
                     {"https://h/api/v1", "/v1", "/api/v1"},
                     {"https://h/api/v1", "/v1?a=/v1/b", "/api/v1?a=/v1/b"},
                     {"https://h/api/v1", "/v1/", "/api/v1/"},
                     {"https://h/api/v1", "/v1/v1/x", "/api/v1/v1/x"},
                     {"https://h/api/v1", "/chat/completions", "/api/v1/chat/completions"},
                     {"https://h/api/v1", "/v10/x", "/api/v1/v10/x"},
                     {"https://h/api/v1", "/v1x", "/api/v1/v1x"},
                     {"https://h/api/v1", "*", "*"},
                     {"https://h/api/paas/v4", "/v1/chat/completions", "/api/paas/v4/chat/completions"},
                     {"https://h/v1beta", "/v1/models", "/v1beta/models"},
                     {"https://h/gateway/", "/v1/models", "/gateway/v1/models"},
                     {"https://h/gateway", "/health", "/gateway/health"},
                     {"https://h/v1/x", "/v1/models", "/v1/x/v1/models"},
                     {"https://h/dev1", "/v1/models", "/dev1/v1/models"},
                     {"https://h/v", "/v1/models", "/v/v1/models"},
                     {"https://h/vault", "/v1/models", "/vault/v1/models"},
                     {"https://h/v2-gateway", "/v1/models", "/v2-gateway/v1/models"}};
  for (auto const& row : table)
    EXPECT_EQ(
        settings_of("cerebras: {base_url: '" + std::string(row.url) + "'}").cerebras.base_url.target_for(row.target),
        row.sent)
        << row.url << ' ' << row.target;
}

TEST(Config, BadUrlsAreRefused) {
  struct {
    std::string_view url;
    std::string_view problem;
  } const table[] = {
      {"", "must begin with https:// or http://; got ''"},
      {"api.cerebras.ai", "must begin with https:// or http://; got 'api.cerebras.ai'"},
      {"ftp://h", "must begin with https:// or http://; got 'ftp://h'"},
      {"https:/h", "must begin with https:// or http://; got 'https:/h'"},
      {" https://h", "must begin with https:// or http://; got ' https://h'"},
      {"https://", "has no host; got 'https://'"},
      {"https:///v1", "has no host; got 'https:///v1'"},
      {"https://:443", "has no host; got 'https://:443'"},
      {"https://h:", "has a port that is not between 1 and 65535; got 'https://h:'"},
      {"https://h:0", "has a port that is not between 1 and 65535; got 'https://h:0'"},
      {"https://h:65536", "has a port that is not between 1 and 65535; got 'https://h:65536'"},
      {"https://h:x", "has a port that is not between 1 and 65535; got 'https://h:x'"},
      {"https://::1", "must have an IPv6 address in brackets; got 'https://::1'"},
      {"https://[::1", "its host must be a host name or an IP address without a port; got 'https://[::1'"},
      {"https://[::g]", "its host is not a valid IPv6 address; got 'https://[::g]'"},
      {"https://[fe80::1%25eth0]", "its host must not have a zone ('%'); got 'https://[fe80::1%25eth0]'"},
      {"https://1.2.3", "its host is not a valid IPv4 address; got 'https://1.2.3'"},
      {"https://1.2.3.256", "its host is not a valid IPv4 address; got 'https://1.2.3.256'"},
      {"https://-h", "its host is not a host name or an IP address; got 'https://-h'"},
      {"https://a..b", "its host is not a host name or an IP address; got 'https://a..b'"},
      {"https://h h",
       "its host must not contain spaces, control or non-ASCII characters (an international name: its "
       "xn-- form); got 'https://h h'"},
      {"https://h/a b", "has a path with characters that a URL must percent-encode; got 'https://h/a b'"},
      {"https://h/a%2", "has a path with characters that a URL must percent-encode; got 'https://h/a%2'"},
      {"https://h/a\\b", "has a path with characters that a URL must percent-encode; got 'https://h/a\\b'"},
      {"https://h/a//b", "has a path with an empty, '.' or '..' segment; got 'https://h/a//b'"},
      {"https://h/../b", "has a path with an empty, '.' or '..' segment; got 'https://h/../b'"},
      {"https://h/%2E%2e/b", "has a path with an empty, '.' or '..' segment; got 'https://h/%2E%2e/b'"},
      {"https://h/openai/v1/chat/completions",
       "must end before the path of an endpoint such as /chat/completions: say 'https://h/openai/v1'; got "
       "'https://h/openai/v1/chat/completions'"},
      {"https://h/v1/completions/",
       "must end before the path of an endpoint such as /chat/completions: say 'https://h/v1'; got "
       "'https://h/v1/completions/'"},
      {"http://H:9/Responses",
       "must end before the path of an endpoint such as /chat/completions: say 'http://h:9'; got "
       "'http://H:9/Responses'"},
      {"https://h/v1/messages",
       "must end before the path of an endpoint such as /chat/completions: say 'https://h/v1'; got "
       "'https://h/v1/messages'"},
      {"https://h/a/v1/embeddings",
       "must end before the path of an endpoint such as /chat/completions: say 'https://h/a/v1'; got "
       "'https://h/a/v1/embeddings'"},
      {"https://h/?q", "must not have a query ('?') or a fragment ('#') (value hidden)"},
      {"https://h#f", "must not have a query ('?') or a fragment ('#') (value hidden)"},
      {"https://u:p@h", "must not hold a user name or a password; the key belongs in api_key (value hidden)"}};
  for (auto const& row : table)
    EXPECT_THAT(problems_of("cerebras: {base_url: '" + std::string(row.url) + "'}"),
                ElementsAre("f:1:22: cerebras.base_url: " + std::string(row.problem)))
        << row.url;
}

TEST(Config, HostsAreNamesOrAddresses) {
  auto const host = [](const std::string& text) { return settings_of("server: {host: '" + text + "'}").server.host; };
  EXPECT_EQ(host("Localhost"), "localhost");
  EXPECT_EQ(host("0.0.0.0"), "0.0.0.0");
  EXPECT_EQ(host("::"), "::");
  EXPECT_EQ(host("[::1]"), "::1");
  EXPECT_EQ(host("fe80::1%eth0"), "fe80::1%eth0");
  EXPECT_EQ(settings_of("server:\n  host: ::1\n").server.host, "::1");

  struct {
    std::string_view text;
    std::string_view problem;
  } const table[] = {
      {"", "must not be empty"},
      {"*", "is not a host name or an IP address"},
      {"h.", "is not a host name or an IP address"},
      {"127.0.0.1:80", "must be a host name or an IP address without a port"},
      {"[::1]:80", "must be a host name or an IP address without a port"},
      {"http://h", "must be a host name or an IP address alone, without scheme and path"},
      {"127.0.0.300", "is not a valid IPv4 address"},
      {"::1::", "is not a valid IPv6 address"},
      {"fe80::1%", "has an invalid zone after '%'"},
      {"h h", "must not contain spaces, control or non-ASCII characters (an international name: its xn-- form)"}};
  for (auto const& row : table)
    for (std::string const section : {"server", "admin"})
      EXPECT_THAT(problems_of(section + ":\n  host: '" + std::string(row.text) + "'"),
                  ElementsAre("f:2:9: " + section + ".host: " + std::string(row.problem) + "; got '" +
                              std::string(row.text) + "'"));
}

TEST(Config, HeaderInjectionIsRefusedEverywhere) {
  for (std::string const key : {"server: {host", "admin: {host", "cerebras: {base_url", "cerebras: {api_key",
                                "cerebras: {tls: {server_name", "cerebras: {tls: {ca_file"})
    for (std::string const evil : {"\\r", "\\n", "\\0", "\\r\\nX: y", "\\x1b", "\\x7f"}) {
      auto const scheme = key == "cerebras: {base_url" ? "https://" : "";
      auto const close = key.find("tls") == std::string::npos ? "}" : "}}";
      auto const yaml = key + ": \"" + scheme + "a" + evil + "b\"" + close;
      EXPECT_EQ(problems_of(yaml).size(), 1U) << yaml;
    }
}

TEST(Config, AProblemWithoutAPlaceHasNone) {
  EXPECT_EQ((problem{"f", 0, 0, "", "m"}.text()), "f: m");
  EXPECT_EQ((problem{"f", 0, 0, "a.b", "m"}.text()), "f: a.b: m");
  EXPECT_EQ((problem{"f", 1, 2, "", "m"}.text()), "f:1:2: m");
  EXPECT_EQ((problem{"f", 1, 2, "a.b", "m"}.text()), "f:1:2: a.b: m");
}

std::vector<std::string> problems_of_file(const std::string& path) {
  std::vector<std::string> lines;
  auto const result = load_file(path, no_environment());
  if (auto const* found = std::get_if<problems>(&result))
    for (auto const& p : *found) lines.push_back(p.text());
  return lines;
}

TEST(Config, FilesThatCannotBeReadSayWhy) {
  auto const dir = ::testing::TempDir();
  EXPECT_THAT(problems_of_file(dir), ElementsAre(dir + ": cannot read the file: Is a directory"));
  EXPECT_THAT(problems_of_file("/no/such/file"),
              ElementsAre("/no/such/file: cannot read the file: No such file or directory"));
  EXPECT_THAT(problems_of_file(""), ElementsAre(": cannot read the file: No such file or directory"));
  EXPECT_THAT(problems_of_file("/dev/zero"), ElementsAre("/dev/zero: larger than 1MiB"));
}

TEST(Config, FilesAreReadWhole) {
  auto const path = (std::filesystem::path(::testing::TempDir()) / "cooldown_load_test.yaml").string();
  auto const write = [&](const std::string& text) { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; };
  write("# " + std::string(1'000'000, 'x') + "\nadmin: {port: 7}\n");
  auto const result = load_file(path, no_environment());
  ASSERT_TRUE(std::holds_alternative<settings>(result));
  EXPECT_EQ(std::get<settings>(result).admin.port, 7);
  write("admin: {prot: 7}");
  EXPECT_THAT(problems_of_file(path), ElementsAre(path + ":1:9: admin.prot: unknown key 'prot'; did you mean 'port'?"));
  write("");
  EXPECT_THAT(problems_of_file(path), IsEmpty());
  std::filesystem::remove(path);
}

TEST(Config, DefaultsAreValuesTheLoaderTakes) {
  for (auto const& k : key_reference()) {
    std::string yaml;
    std::string indent;
    auto rest = k.path;
    for (auto dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
      yaml += indent + rest.substr(0, dot) + ":\n";
      indent += "  ";
      rest.erase(0, dot + 1);
    }
    yaml += indent + rest + ": " + k.fallback + "\n";
    // A file without the provider's section has one default that differs.
    if (!k.path.starts_with("cerebras.")) yaml += "cerebras:\n";
    EXPECT_EQ(settings_of(yaml), settings{}) << yaml;
  }
}

TEST(Config, KnownKeysAreTheReference) {
  EXPECT_EQ(known_keys().size(), 68U);
  EXPECT_EQ(known_keys().front(), "server.host");
  EXPECT_EQ(known_keys().back(), "logging.file");
  EXPECT_THAT(known_keys(), Contains("cerebras.rate_limits.use_headers"));
  EXPECT_EQ(key_reference().size(), known_keys().size());
}

TEST(ConfigErrors, AColonWithoutASpaceIsSaid) {
  EXPECT_THAT(problems_of("server:\n  port:23000\n"),
              ElementsAre(::testing::EndsWith("; a space is missing after 'port:'")));
  EXPECT_THAT(problems_of("server: http://x\n"),
              ElementsAre(::testing::Not(::testing::HasSubstr("a space is missing"))));
}

TEST(ConfigErrors, MergeKeysAreSaidToBeUnsupported) {
  EXPECT_THAT(problems_of("server:\n  <<: {}\n"),
              ElementsAre("f:2:3: server: merge keys (<<) are not supported; write the keys out"));
}

}  // namespace
}  // namespace cooldown::config
