#include "cooldown/net/upstream_head.hpp"

#include <algorithm>

#include "cooldown/http/fields.hpp"
#include "cooldown/http/query.hpp"
#include "cooldown/net/gatekeeper.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

constexpr std::size_t room_for_our_fields = 256;

/// Whether a value is a token that was one when the request was read, or is one now.
bool holds_token(std::string_view value, const request& r, const config::settings& settings) {
  return carries_token(value, settings.server.auth_tokens) || carries_token(value, r.read_under->server.auth_tokens);
}

/// Whether the client's credentials stay here: this upstream has a key of ours, or is not for them. If there was a key
/// of ours when the request was read, the client's Authorization was for us, and it remains so when a reload takes our
/// key away.
bool is_own_key(const request& r, const upstream& to) {
  if (!to.takes_client_keys()) return true;
  auto const* const then = settings_named(*r.read_under, to.of->name);
  return !then || !then->api_key.empty() || !then->pass_client_key;
}

/// The first upstream is the one that clients mean when they put a credential into the query.
std::string target_there(const request& r, const upstream& to, bool own_key) {
  auto const& origin = to.of->base_url;
  if (to.is_first() || !own_key) return origin.target_for(r.head.target);
  return origin.target_for(http::without_credentials(r.head.target));
}

/// Headers of the client's that do not go on: hop-by-hop ones, framing, those we write ourselves, and beside our own
/// key every other credential.
bool dropped(std::string_view name, bool own_key, bool metered) {
  return http::is_hop_by_hop(name) || iequals(name, "host") || iequals(name, "content-length") ||
         iequals(name, "expect") || (own_key && http::carries_credential(name)) ||
         (metered && iequals(name, "accept-encoding"));
}

/// Anthropic's own API and Azure OpenAI want the key in a header of their own; GitHub Models, of the same dialect, not.
void append_key(std::string& out, const request& r, const upstream& to) {
  auto const speaks = to.of->speaks();
  auto const& host = to.of->base_url.host;
  bool const of_github = host.ends_with("github.ai") || host.ends_with("inference.ai.azure.com");
  if (speaks == dialect::azure && !of_github) {
    http::append_field(out, "api-key", to.key);
  } else if (speaks == dialect::anthropic && r.asks == http::endpoint::message) {
    http::append_field(out, "x-api-key", to.key);
  } else {
    http::append_field(out, "Authorization", "Bearer " + to.key);
  }
}

}  // namespace

std::string upstream_head(const request& r, const upstream& to, std::string_view via, std::size_t body_size) {
  auto const& head = r.head;
  auto const& origin = to.of->base_url;
  std::string out;
  out.reserve(r.head_bytes.size() + room_for_our_fields);
  bool const own_key = is_own_key(r, to);
  out.append(head.method).append(" ").append(target_there(r, to, own_key)).append(" HTTP/1.1\r\n");
  http::append_field(out, "Host", origin.authority());
  if (!to.key.empty()) append_key(out, r, to);
  // The usage at the end of an answer must be readable (docs/decisions/006).
  if (r.metered) http::append_field(out, "Accept-Encoding", "identity");
  http::nominations const nominated(head.fields);
  for (auto const& f : head.fields) {
    if (dropped(f.name, own_key, r.metered) || nominated.contains(f.name)) continue;
    if (holds_token(f.value, r, *to.settings)) continue;
    if (r.method == "OPTIONS" && iequals(f.name, "max-forwards")) {
      auto const hops = parse_u64(f.value);
      http::append_field(out, f.name, hops.value_or(1) - (hops == 0U ? 0U : 1U));
      continue;
    }
    http::append_field(out, f.name, f.value);
  }
  http::append_field(out, "Via", via);
  bool const has_body = r.framing.how != http::body_framing::kind::none;
  if (has_body || r.method == "POST" || r.method == "PUT" || r.method == "PATCH")
    http::append_field(out, "Content-Length", body_size);
  out += "\r\n";
  return out;
}

bool is_for_another_provider(const request& r, const upstream& to) {
  auto const& now = to.of->base_url;
  if (!now.contains(r.target)) return true;
  auto const* const of_then = settings_named(*r.read_under, to.of->name);
  if (!of_then) return false;  // no credential of the client's goes there
  auto const& then = of_then->base_url;
  if (then.tls == now.tls && then.host == now.host && then.port == now.port) return false;
  bool const in_query = (to.is_first() || !is_own_key(r, to)) && http::has_credential_in_query(r.target);
  return in_query ||
         (!is_own_key(r, to) && std::any_of(r.head.fields.begin(), r.head.fields.end(),
                                            [](const header_field& f) { return http::carries_credential(f.name); }));
}

}  // namespace cooldown::net
