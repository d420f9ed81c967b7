// The configuration as plain structs: a default and a sentence per field, in the order of config.yaml.example.
// Nothing here knows YAML; src/config/yaml_tree.cpp and print.cpp do. docs/configuration.md is the reference.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/address_range.hpp"
#include "cooldown/dialect/dialect.hpp"

namespace cooldown::config {

using std::chrono::milliseconds;

enum class tls_version { v1_2, v1_3 };

/// TLS on the listening side: with both files or none.
struct server_tls_settings {
  std::string certificate_file;  // PEM: the server's certificate, followed by the intermediate ones
  std::string key_file;          // PEM: its private key, without a passphrase
  tls_version min_version = tls_version::v1_2;
  bool operator==(const server_tls_settings&) const = default;
};

struct server_settings {
  std::string host = "127.0.0.1";           // address to listen on; if not loopback, anyone there can spend the key
  std::uint16_t port = 8080;                // 0: any free port; the log names it
  std::size_t max_connections = 10'000;     // client connections at once
  std::size_t max_header_size = 64 * 1024;  // bytes of request line and headers; beyond: 431 (414 for the line)
  std::size_t max_body_size = 32 * 1024 * 1024;  // bytes of one request body; beyond: 413
  milliseconds header_timeout{10'000};           // from the first byte of a head to its end; beyond: 408
  milliseconds body_timeout{60'000};             // pause while a body is read (body_pace.hpp), or an answer is not read
  milliseconds idle_timeout{120'000};            // between two requests of a connection
  milliseconds drain_timeout{30'000};            // time for exchanges in progress at shutdown
  std::vector<std::string> auth_tokens;          // secrets; a request needs one of them; empty: none needed
  std::vector<std::string> allowed_origins;  // web pages that may use the main port (Fetch Standard, CORS); "*": any
  std::vector<std::string> allowed_hosts;    // further host names of the main port; "*": any
  bool core_dumps = false;                   // true: a crash may write the keys in memory to disk
  server_tls_settings tls;
  bool operator==(const server_settings&) const = default;
};

/// How the provider's limits refill; `automatic`: learned from its headers.
enum class replenishment { automatic, window, continuous, sliding };

struct rate_limit_settings {
  bool use_headers = false;     // schedule by the provider's rate-limit headers
  bool header_fallback = true;  // without fresh headers, true: rpm_limit and tpm_limit decide; false: nothing does
  milliseconds header_timeout{5'000};  // how long to wait for the first header, at start and after a reset
  milliseconds reset_buffer{100};      // added to every reset the provider announces
  config::replenishment replenishment = config::replenishment::automatic;
  header_names headers;  // further rate-limit headers
  bool operator==(const rate_limit_settings&) const = default;
};

/// What distinguishes clients when the quota is shared among them. None: all are one client.
struct client_attributes {
  bool credential = true;  // as the client sent it
  bool user = true;        // `user` of the body
  bool address = true;     // without the port
  bool session = false;    // of an agent, by the header that names it
  bool operator==(const client_attributes&) const = default;
};

/// keepalive_after: in time before the client's timeout.
constexpr milliseconds by_the_client{0};

struct queue_settings {
  std::size_t max_depth = 1'000;                // requests waiting at once; beyond: 503 queue_full
  std::size_t max_bytes = 256 * 1024 * 1024;    // bytes of their bodies, all together
  milliseconds max_wait{600'000};               // longest wait of one request; Prefer: wait=N lowers it
  std::size_t max_in_flight = 0;                // metered requests at the upstream at once; 0: no bound
  std::optional<milliseconds> keepalive_after;  // who waits so long for a stream gets SSE comments; `off`: nobody
  std::optional<milliseconds> ageing{
      30'000};                    // a class that has waited so long gets a release out of turn; `off`: never
  unsigned default_priority = 3;  // class of a request that names none: 0 is the most urgent, 7 the least
  unsigned highest_priority = 0;  // the most urgent class that a request itself can name
  client_attributes fair_share_by;
  bool operator==(const queue_settings&) const = default;
};

/// Limits of a model: requests, tokens and, if the provider keeps two buckets, total tokens (including cached ones) per
/// minute, hour and day. nullopt: unknown.
struct model_limits {
  std::optional<std::uint64_t> rpm, rph, rpd, tpm, tph, tpd, total_tpm, total_tph, total_tpd;
  bool operator==(const model_limits&) const = default;
};

/// A rule for clients: all conditions given must match.
struct client_rule {
  std::optional<std::string> credential;  // secret; the key that the client sends
  std::optional<std::string> user;
  std::optional<address_range> address;
  std::optional<unsigned> priority;          // class of a request that names none; absent: queue.default_priority
  double weight = 1;                         // of its fair share
  std::optional<unsigned> highest_priority;  // absent: queue.highest_priority
  std::string name{};                        // name of its clients; empty: by their attributes
  bool operator==(const client_rule&) const = default;
};

struct breaker_settings {
  unsigned failure_threshold = 5;   // failures in a row that open the breaker; 0: off
  milliseconds open_for{60'000};    // how long it stays open before it tries again
  unsigned half_open_requests = 3;  // successes in a row that close it again
  bool operator==(const breaker_settings&) const = default;
};

struct timeout_settings {
  milliseconds connect{5'000};       // one connection attempt, TLS handshake included
  milliseconds first_byte{300'000};  // from the last byte of the request to the response head; beyond: 504
  milliseconds idle{300'000};        // longest pause within a response body
  bool operator==(const timeout_settings&) const = default;
};

struct tls_settings {
  bool verify = true;       // check the certificate and its name; false only for tests
  std::string ca_file;      // PEM file of accepted authorities; empty: the system's
  std::string server_name;  // name for SNI and the check; empty: the host of base_url
  bool operator==(const tls_settings&) const = default;
};

/// An origin (RFC 9110 §4.3.1), taken from cerebras.base_url, with an optional path prefix.
struct origin {
  bool tls = true;
  std::string host = "api.cerebras.ai";  // without brackets, even for IPv6
  std::uint16_t port = 443;
  std::string prefix;             // "" or "/path" without a trailing slash
  std::string authority() const;  // for Host: brackets for IPv6, no default port
  /// The target of a client's request: the prefix before its path. A prefix that ends in a version, as providers print
  /// their base URLs ("/openai/v1"), replaces the client's "/v1".
  std::string target_for(std::string_view target) const;
  /// False if a server might read the target, after the prefix, as one outside of it. A prefix may belong to one
  /// tenant.
  bool contains(std::string_view target) const;
  bool operator==(const origin&) const = default;
};

/// A provider: where it is, whose quota is used, and how to treat it.
struct upstream_settings {
  std::string name;  // in X-Upstream, the log, metrics and the admin port
  origin base_url;
  cooldown::dialect dialect = cooldown::dialect::automatic;
  std::string api_key;                // secret; with several accounts, that of the first
  std::vector<std::string> api_keys;  // secrets: one account each, with a quota of its own; empty: only that of api_key
  bool pass_client_key = false;       // without a key: the client's own Authorization is passed on
  std::map<std::string, std::string, std::less<>> models;  // clients' name: name here; "*": "*": all others; empty: all
  std::uint64_t rpm_limit = 30;                            // requests a minute, if no header reports that limit
  std::uint64_t tpm_limit = 60'000;                        // tokens a minute, without rate-limit headers
  std::map<std::string, model_limits, std::less<>> limits;  // by model; "*": every other model
  rate_limit_settings rate_limits;
  unsigned retries = 2;  // retries of a metered request before its first response byte; 0: never
  breaker_settings circuit_breaker;
  timeout_settings timeouts;
  tls_settings tls;
  /// The dialect as configured, else by the host; automatic: unknown.
  cooldown::dialect speaks() const {
    return dialect == cooldown::dialect::automatic ? dialect_of_host(base_url.host) : dialect;
  }
  /// The key of each account; one account without a key if there is none.
  std::vector<std::string> account_keys() const;
  /// What the account of that key is called: "groq", or "groq/2" if there are several.
  std::string account_name(std::size_t account) const;
  /// The name here of a client's model; nullopt: this upstream does not serve it.
  std::optional<std::string_view> name_here(std::string_view model) const;
  bool operator==(const upstream_settings&) const = default;
};

/// The first upstream, and the queue of all.
struct cerebras_settings : upstream_settings {
  cerebras_settings() {
    name = "cerebras";
    pass_client_key = true;
  }
  queue_settings queue;
  std::vector<client_rule> clients;  // the first matching rule applies
  bool operator==(const cerebras_settings&) const = default;
};

/// Which upstream a request is sent to, if there are several.
struct routing_settings {
  std::optional<milliseconds> spill_after{20'000};  // a longer wait looks for a shorter one elsewhere; `off`: never
  milliseconds min_gain{2'000};                     // how much shorter it has to be
  bool sticky = true;                               // a conversation stays where its prefix is cached
  bool next_on_failure = true;                      // an upstream that fails or is used up is skipped
  bool operator==(const routing_settings&) const = default;
};

struct feature_flags {
  bool header_based_rate_limiting = true;  // false switches the header logic off whatever use_headers says
  bool operator==(const feature_flags&) const = default;
};

struct admin_settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8081;  // 0: any free port; the log names it
  std::string token;          // secret that requests need; empty: none needed, and only this machine may connect
  bool operator==(const admin_settings&) const = default;
};

enum class log_level { trace, debug, info, warn, error, off };
/// By its name in the configuration.
std::optional<log_level> log_level_of(std::string_view name);
enum class log_format { text, json };

struct logging_settings {
  log_level level = log_level::info;
  log_format format = log_format::text;
  std::string file;  // empty: standard error
  bool operator==(const logging_settings&) const = default;
};

/// What is kept over a restart.
struct state_settings {
  std::string file;            // a database; empty: state.db in the directory for the state of programs
  milliseconds every{10'000};  // between two writes; so much may be lost in a crash
  struct spans {
    milliseconds minutes{std::chrono::hours{48}};     // figures of each minute
    milliseconds hours{std::chrono::hours{24} * 60};  // of each hour
    milliseconds days{std::chrono::hours{24} * 730};  // of each day
    bool operator==(const spans&) const = default;
  } keep;
  bool off = false;  // nothing is kept
  bool operator==(const state_settings&) const = default;
};

struct settings {
  server_settings server;
  cerebras_settings cerebras;
  std::vector<upstream_settings> upstreams;  // besides cerebras, in the order of preference
  routing_settings routing;
  feature_flags features;
  admin_settings admin;
  state_settings state;
  logging_settings logging;
  bool operator==(const settings&) const = default;
};

/// Calls `visit(upstream, path)` for each upstream in the order of preference. `path` is that of its keys in the
/// configuration: "cerebras", "upstreams[0]".
template <class Settings, class Visitor>
void each_upstream(Settings& s, Visitor visit) {
  visit(s.cerebras, std::string("cerebras"));
  for (std::size_t i = 0; i < s.upstreams.size(); ++i) visit(s.upstreams[i], "upstreams[" + std::to_string(i) + ']');
}

/// Calls `visit(upstream, path, account, key)` for each account of each upstream, in the order of preference.
template <class Settings, class Visitor>
void each_account(Settings& s, Visitor visit) {
  each_upstream(s, [&](auto& upstream, const std::string& path) {
    auto const keys = upstream.account_keys();
    for (std::size_t i = 0; i < keys.size(); ++i) visit(upstream, path, i, keys[i]);
  });
}

/// As the configuration writes durations; nullopt: it is none.
std::optional<milliseconds> duration_of(std::string_view text);

/// Whether only this machine can connect to that address.
bool is_loopback(std::string_view host);

}  // namespace cooldown::config
