#include "keys.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "address.hpp"
#include "collections.hpp"
#include "print.hpp"
#include "suggest.hpp"
#include "upstreams.hpp"

namespace cooldown::config {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t KiB = 1ULL << 10;
constexpr std::uint64_t MiB = 1ULL << 20;
constexpr std::uint64_t GiB = 1ULL << 30;
constexpr std::uint64_t TiB = 1ULL << 40;
constexpr std::uint64_t million = 1'000'000;

/// Stores a valid value in its field.
template <class Field, class T>
std::optional<rejection> store(Field& field, reading<T> r) {
  if (auto* bad = std::get_if<rejection>(&r)) return std::move(*bad);
  field = static_cast<Field>(std::move(std::get<T>(r)));
  return std::nullopt;
}

template <class At>
auto default_of(At at) {
  settings s;
  return at(s);
}

std::string range_text(const std::string& low, const std::string& high) {
  return low + " to " + high;
}

std::string or_quotes(std::string text) {
  return text.empty() ? R"("")" : text;
}

template <class At>
config_key integer(std::string path, std::uint64_t low, std::uint64_t high, At at) {
  return {std::move(path),
          "integer",
          range_text(std::to_string(low), std::to_string(high)),
          std::to_string(default_of(at)),
          [=](settings& s, std::string_view text) { return store(at(s), read_integer(text, low, high)); },
          [=](settings s) { return std::to_string(at(s)); }};
}

template <class At>
config_key boolean(std::string path, At at) {
  return {std::move(path),
          "boolean",
          "true or false",
          default_of(at) ? "true" : "false",
          [=](settings& s, std::string_view text) { return store(at(s), read_boolean(text)); },
          [=](settings s) { return at(s) ? "true" : "false"; }};
}

template <class At>
config_key size(std::string path, std::uint64_t low, std::uint64_t high, At at) {
  return {std::move(path),
          "size",
          range_text(show_size(low), show_size(high)),
          show_size(default_of(at)),
          [=](settings& s, std::string_view text) { return store(at(s), read_size(text, low, high)); },
          [=](settings s) { return show_size(at(s)); }};
}

template <class At>
config_key duration(std::string path, milliseconds low, milliseconds high, At at) {
  return {std::move(path),
          "duration",
          range_text(show_duration(low), show_duration(high)),
          show_duration(default_of(at)),
          [=](settings& s, std::string_view text) { return store(at(s), read_duration(text, low, high)); },
          [=](settings s) { return show_duration(at(s)); }};
}

/// Words that stand for a duration that is none, or for one out of range.
using duration_words = std::vector<std::pair<std::string, std::optional<milliseconds>>>;

template <class At>
config_key duration_or(const duration_words& words, std::string path, milliseconds low, milliseconds high, At at) {
  std::string or_word;
  std::string listed;
  for (auto const& [word, value] : words) {
    or_word += ", or " + word;
    listed += word + ", ";
  }
  auto read = [=](settings& s, std::string_view text) -> std::optional<rejection> {
    for (auto const& [word, value] : words) {
      if (text != word) continue;
      at(s) = value;
      return std::nullopt;
    }
    auto bad = store(at(s), read_duration(text, low, high));
    if (bad) bad->why += or_word;
    return bad;
  };
  auto show = [=](settings s) {
    for (auto const& [word, value] : words)
      if (value == at(s)) return word;
    return show_duration(*at(s));
  };
  auto fallback = show(settings{});
  return {std::move(path),     "duration",      listed + "or " + range_text(show_duration(low), show_duration(high)),
          std::move(fallback), std::move(read), std::move(show)};
}

template <class At>
config_key host(std::string path, At at) {
  return {std::move(path),
          "host",
          "a name or an IP address",
          default_of(at),
          [=](settings& s, std::string_view text) { return store(at(s), read_host(text, zone::allowed)); },
          [=](settings s) { return at(s); }};
}

template <class At>
config_key optional_host(std::string path, At at) {
  auto read = [=](settings& s, std::string_view text) {
    return store(at(s), text.empty() ? reading<std::string>{} : read_host(text, zone::refused));
  };
  return {std::move(path),
          "host",
          "empty, or a name or an IP address",
          or_quotes(default_of(at)),
          std::move(read),
          [=](settings s) { return at(s); },
          false,
          true};
}

template <class At>
config_key url(std::string path, At at) {
  return {std::move(path),
          "URL",
          "http:// or https://",
          show_url(default_of(at)),
          [=](settings& s, std::string_view text) { return store(at(s), read_url(text)); },
          [=](settings s) { return show_url(at(s)); }};
}

template <class At>
config_key secret(std::string path, At at) {
  return {std::move(path),
          "secret",
          "empty, or visible ASCII",
          or_quotes(default_of(at)),
          [=](settings& s, std::string_view text) { return store(at(s), read_secret(text)); },
          [=](settings s) { return std::string(at(s).empty() ? "" : "***"); },
          true,
          true};
}

template <class At>
config_key file_path(std::string path, At at) {
  return {std::move(path),
          "path",
          "empty, or a file",
          or_quotes(default_of(at)),
          [=](settings& s, std::string_view text) { return store(at(s), read_path(text)); },
          [=](settings s) { return at(s); },
          false,
          true};
}

template <class E, std::size_t N>
using choices = std::array<std::pair<std::string_view, E>, N>;

constexpr choices<log_level, 6> levels{{{"trace", log_level::trace},
                                        {"debug", log_level::debug},
                                        {"info", log_level::info},
                                        {"warn", log_level::warn},
                                        {"error", log_level::error},
                                        {"off", log_level::off}}};
constexpr choices<log_format, 2> formats{{{"text", log_format::text}, {"json", log_format::json}}};

template <class E, std::size_t N, class At>
config_key word(std::string path, const choices<E, N>& all, At at) {
  std::vector<std::string> names;
  std::string list;
  std::string fallback;
  for (auto const& [name, value] : all) {
    names.emplace_back(name);
    list += (list.empty() ? "" : ", ") + std::string(name);
    if (value == default_of(at)) fallback = name;
  }
  auto read = [=](settings& s, std::string_view text) -> std::optional<rejection> {
    for (auto const& [name, value] : all) {
      if (name != text) continue;
      at(s) = value;
      return std::nullopt;
    }
    auto const meant = nearest(text, names);
    return rejection{"must be one of " + list, false, meant.empty() ? "" : " (did you mean '" + meant + "'?)"};
  };
  auto show = [=](settings s) {
    for (auto const& [name, value] : all)
      if (value == at(s)) return std::string(name);
    return std::string();
  };
  return {std::move(path), "word", list, fallback, std::move(read), std::move(show)};
}

constexpr choices<replenishment, 4> replenishments{{{"auto", replenishment::automatic},
                                                    {"window", replenishment::window},
                                                    {"continuous", replenishment::continuous},
                                                    {"sliding", replenishment::sliding}}};

/// auto, openai, …: one list with what reads them.
auto dialects() {
  choices<dialect, dialect_count> all;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {name_of(static_cast<dialect>(i)), static_cast<dialect>(i)};
  return all;
}

constexpr choices<tls_version, 2> tls_versions{{{"1.2", tls_version::v1_2}, {"1.3", tls_version::v1_3}}};

constexpr choices<bool, 2> stickiness{{{"conversation", true}, {"off", false}}};

constexpr choices<bool, 2> failure_actions{{{"next", true}, {"off", false}}};

/// A key that has more than one value.
config_key collection(std::string path, std::string kind, std::string range, std::string fallback,
                      bool (*read)(settings&, const std::string&, const yaml_node&, value_reader&),
                      void (*print)(YAML::Emitter&, const settings&)) {
  config_key key{std::move(path), std::move(kind), std::move(range), std::move(fallback), {}};
  key.read_node = read;
  key.print_node = print;
  return key;
}

/// Printed only if it is the only key: api_keys has it otherwise.
config_key with_api_keys_beside(config_key api_key) {
  api_key.show = [](const settings& s) {
    return std::string(s.cerebras.api_key.empty() || !s.cerebras.api_keys.empty() ? "" : "***");
  };
  return api_key;
}

std::vector<config_key> make_document_keys() {
  // clang-format off
  std::vector<config_key> table{
      host("server.host", [](settings& s) -> auto& { return s.server.host; }),
      integer("server.port", 0, 65535, [](settings& s) -> auto& { return s.server.port; }),
      integer("server.max_connections", 1, million, [](settings& s) -> auto& { return s.server.max_connections; }),
      size("server.max_header_size", KiB, MiB, [](settings& s) -> auto& { return s.server.max_header_size; }),
      size("server.max_body_size", KiB, 4 * GiB, [](settings& s) -> auto& { return s.server.max_body_size; }),
      duration("server.header_timeout", 1ms, 24h, [](settings& s) -> auto& { return s.server.header_timeout; }),
      duration("server.body_timeout", 1ms, 24h, [](settings& s) -> auto& { return s.server.body_timeout; }),
      duration("server.idle_timeout", 1ms, 24h, [](settings& s) -> auto& { return s.server.idle_timeout; }),
      duration("server.drain_timeout", 0ms, 24h, [](settings& s) -> auto& { return s.server.drain_timeout; }),
      collection("server.auth_tokens", "list", "secrets", "[]", read_auth_tokens, print_auth_tokens),
      collection("server.allowed_origins", "list", "origins", "[]", read_allowed_origins, print_allowed_origins),
      collection("server.allowed_hosts", "list", "host names", "[]", read_allowed_hosts, print_allowed_hosts),
      boolean("server.core_dumps", [](settings& s) -> auto& { return s.server.core_dumps; }),
      file_path("server.tls.certificate_file",
                [](settings& s) -> auto& { return s.server.tls.certificate_file; }),
      file_path("server.tls.key_file", [](settings& s) -> auto& { return s.server.tls.key_file; }),
      word("server.tls.min_version", tls_versions, [](settings& s) -> auto& { return s.server.tls.min_version; }),


      url("cerebras.base_url", [](settings& s) -> auto& { return s.cerebras.base_url; }),
      word("cerebras.dialect", dialects(), [](settings& s) -> auto& { return s.cerebras.dialect; }),
      with_api_keys_beside(secret("cerebras.api_key", [](settings& s) -> auto& { return s.cerebras.api_key; })),
      collection("cerebras.api_keys", "list", "secrets", "[]", read_api_keys, print_api_keys),
      collection("cerebras.models", "map", "names of models", "{}", read_models, print_models),
      integer("cerebras.rpm_limit", 1, million * million, [](settings& s) -> auto& { return s.cerebras.rpm_limit; }),
      integer("cerebras.tpm_limit", 1, million * million, [](settings& s) -> auto& { return s.cerebras.tpm_limit; }),

      collection("cerebras.limits", "map", "limits by model", "{}", read_limits, print_limits),

      boolean("cerebras.rate_limits.use_headers",
              [](settings& s) -> auto& { return s.cerebras.rate_limits.use_headers; }),
      boolean("cerebras.rate_limits.header_fallback",
              [](settings& s) -> auto& { return s.cerebras.rate_limits.header_fallback; }),
      duration("cerebras.rate_limits.header_timeout", 1ms, 1h,
               [](settings& s) -> auto& { return s.cerebras.rate_limits.header_timeout; }),
      duration("cerebras.rate_limits.reset_buffer", 0ms, 60s,
               [](settings& s) -> auto& { return s.cerebras.rate_limits.reset_buffer; }),
      word("cerebras.rate_limits.replenishment", replenishments,
           [](settings& s) -> auto& { return s.cerebras.rate_limits.replenishment; }),
      collection("cerebras.rate_limits.headers", "map", "header: what it tells", "{}", read_headers, print_headers),

      integer("cerebras.queue.max_depth", 0, million, [](settings& s) -> auto& { return s.cerebras.queue.max_depth; }),
      size("cerebras.queue.max_bytes", KiB, TiB, [](settings& s) -> auto& { return s.cerebras.queue.max_bytes; }),
      duration("cerebras.queue.max_wait", 0ms, 24h, [](settings& s) -> auto& { return s.cerebras.queue.max_wait; }),
      integer("cerebras.queue.max_in_flight", 0, million,
              [](settings& s) -> auto& { return s.cerebras.queue.max_in_flight; }),
      duration_or({{"off", std::nullopt}, {"auto", by_the_client}}, "cerebras.queue.keepalive_after", 100ms, 1h,
                        [](settings& s) -> auto& { return s.cerebras.queue.keepalive_after; }),
      duration_or({{"off", std::nullopt}}, "cerebras.queue.ageing", 100ms, 24h,
                        [](settings& s) -> auto& { return s.cerebras.queue.ageing; }),
      integer("cerebras.queue.default_priority", 0, 7,
              [](settings& s) -> auto& { return s.cerebras.queue.default_priority; }),
      integer("cerebras.queue.highest_priority", 0, 7,
              [](settings& s) -> auto& { return s.cerebras.queue.highest_priority; }),
      collection("cerebras.queue.fair_share_by", "list", "credential, user, address, session", "[credential, user, address]",
                 read_fair_share, print_fair_share),

      collection("cerebras.clients", "list", "rules", "[]", read_clients, print_clients),

      integer("cerebras.retries", 0, 10, [](settings& s) -> auto& { return s.cerebras.retries; }),

      integer("cerebras.circuit_breaker.failure_threshold", 0, million,
              [](settings& s) -> auto& { return s.cerebras.circuit_breaker.failure_threshold; }),
      duration("cerebras.circuit_breaker.open_for", 1ms, 24h,
               [](settings& s) -> auto& { return s.cerebras.circuit_breaker.open_for; }),
      integer("cerebras.circuit_breaker.half_open_requests", 1, 1000,
              [](settings& s) -> auto& { return s.cerebras.circuit_breaker.half_open_requests; }),

      duration("cerebras.timeouts.connect", 1ms, 24h, [](settings& s) -> auto& { return s.cerebras.timeouts.connect; }),
      duration("cerebras.timeouts.first_byte", 1ms, 24h,
               [](settings& s) -> auto& { return s.cerebras.timeouts.first_byte; }),
      duration("cerebras.timeouts.idle", 1ms, 24h, [](settings& s) -> auto& { return s.cerebras.timeouts.idle; }),

      boolean("cerebras.tls.verify", [](settings& s) -> auto& { return s.cerebras.tls.verify; }),
      file_path("cerebras.tls.ca_file", [](settings& s) -> auto& { return s.cerebras.tls.ca_file; }),
      optional_host("cerebras.tls.server_name", [](settings& s) -> auto& { return s.cerebras.tls.server_name; }),

      collection("upstreams", "list", "upstreams", "[]", read_upstreams, print_upstreams),

      duration_or({{"off", std::nullopt}}, "routing.spill_after", 0ms, 24h,
                  [](settings& s) -> auto& { return s.routing.spill_after; }),
      duration("routing.min_gain", 0ms, 24h, [](settings& s) -> auto& { return s.routing.min_gain; }),
      word("routing.sticky", stickiness, [](settings& s) -> auto& { return s.routing.sticky; }),
      word("routing.on_failure", failure_actions, [](settings& s) -> auto& { return s.routing.next_on_failure; }),

      boolean("feature_flags.header_based_rate_limiting",
              [](settings& s) -> auto& { return s.features.header_based_rate_limiting; }),

      host("admin.host", [](settings& s) -> auto& { return s.admin.host; }),
      integer("admin.port", 0, 65535, [](settings& s) -> auto& { return s.admin.port; }),
      secret("admin.token", [](settings& s) -> auto& { return s.admin.token; }),

      file_path("state.file", [](settings& s) -> auto& { return s.state.file; }),
      duration("state.every", 100ms, 1h, [](settings& s) -> auto& { return s.state.every; }),
      duration("state.keep.minutes", 1h, 24h * 365, [](settings& s) -> auto& { return s.state.keep.minutes; }),
      duration("state.keep.hours", 24h, 24h * 3650, [](settings& s) -> auto& { return s.state.keep.hours; }),
      duration("state.keep.days", 24h, 24h * 36500, [](settings& s) -> auto& { return s.state.keep.days; }),
      boolean("state.off", [](settings& s) -> auto& { return s.state.off; }),

      word("logging.level", levels, [](settings& s) -> auto& { return s.logging.level; }),
      word("logging.format", formats, [](settings& s) -> auto& { return s.logging.format; }),
      file_path("logging.file", [](settings& s) -> auto& { return s.logging.file; }),
  };
  // clang-format on
  return table;
}

std::vector<config_key> make_upstream_keys() {
  constexpr std::string_view below = "cerebras.";
  std::vector<config_key> table;
  config_key name{"name", "name", "", "",
                  [](settings& s, std::string_view text) { return store(s.cerebras.name, read_upstream_name(text)); }};
  name.show = [](const settings& s) { return s.cerebras.name; };
  table.push_back(std::move(name));
  for (auto const& k : document_keys().all()) {
    if (!k.path.starts_with(below) || k.path.starts_with("cerebras.queue.") || k.path == "cerebras.clients") continue;
    auto& key = table.emplace_back(k);
    key.path.erase(0, below.size());
    if (key.path == "base_url") key.fallback.clear();
    if (key.path == "rate_limits.use_headers") key.fallback = "true";
    if (key.path == "api_keys")
      table.push_back(boolean(
          "pass_client_key", [](settings & s) -> auto& { return s.cerebras.pass_client_key; }));
  }
  return table;
}

}  // namespace

std::optional<log_level> log_level_of(std::string_view name) {
  for (auto const& [text, value] : levels)
    if (text == name) return value;
  return std::nullopt;
}

const config_key* key_table::find(std::string_view path) const {
  auto const found = std::find_if(keys_.begin(), keys_.end(), [&](const config_key& k) { return k.path == path; });
  return found == keys_.end() ? nullptr : &*found;
}

bool key_table::is_section(std::string_view path) const {
  auto const below = path.empty() ? std::string{} : std::string(path) + '.';
  return std::any_of(keys_.begin(), keys_.end(), [&](const config_key& k) { return k.path.starts_with(below); });
}

std::vector<std::string> key_table::children(std::string_view section) const {
  auto const below = section.empty() ? std::string{} : std::string(section) + '.';
  std::vector<std::string> names;
  for (auto const& k : keys_) {
    if (!k.path.starts_with(below)) continue;
    auto rest = k.path.substr(below.size());
    rest.resize(std::min(rest.find('.'), rest.size()));
    if (names.empty() || std::find(names.begin(), names.end(), rest) == names.end()) names.push_back(std::move(rest));
  }
  return names;
}

const key_table& document_keys() {
  static const key_table table(make_document_keys());
  return table;
}

const key_table& upstream_keys() {
  static const key_table table(make_upstream_keys());
  return table;
}

}  // namespace cooldown::config
