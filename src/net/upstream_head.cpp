#include "cooldown/net/upstream_head.hpp"

#include <algorithm>

#include "cooldown/http/fields.hpp"
#include "cooldown/net/gatekeeper.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

constexpr std::size_t room_for_our_fields = 256;

/// Whether a value is a token that was one when the request was read, or is one now.
bool holds_token(std::string_view value, const request& r, const config::settings& settings) {
  return carries_token(value, settings.server.auth_tokens) || carries_token(value, r.read_under->server.auth_tokens);
}

/// Whether the key that goes to the provider is ours. Then the client's Authorization was for us, and it remains so
/// when a reload takes our key away.
bool is_own_key(const request& r, const config::settings& settings) {
  return !settings.cerebras.api_key.empty() || !r.read_under->cerebras.api_key.empty();
}

/// Headers of the client's that do not go on: hop-by-hop ones, framing, those we write ourselves, and beside our own
/// key every other credential.
bool dropped(std::string_view name, bool own_key, bool metered) {
  return http::is_hop_by_hop(name) || iequals(name, "host") || iequals(name, "content-length") ||
         iequals(name, "expect") || (own_key && http::carries_credential(name)) ||
         (metered && iequals(name, "accept-encoding"));
}

}  // namespace

std::string upstream_head(const request& r, const config::settings& settings, std::string_view via) {
  auto const& head = r.head;
  auto const& origin = settings.cerebras.base_url;
  std::string out;
  out.reserve(r.head_bytes.size() + room_for_our_fields);
  out.append(head.method).append(" ").append(origin.target_for(head.target)).append(" HTTP/1.1\r\n");
  http::append_field(out, "Host", origin.authority());
  bool const own_key = is_own_key(r, settings);
  if (!settings.cerebras.api_key.empty())
    http::append_field(out, "Authorization", "Bearer " + settings.cerebras.api_key);
  // The usage at the end of an answer must be readable (docs/decisions/006).
  if (r.metered) http::append_field(out, "Accept-Encoding", "identity");
  http::nominations const nominated(head.fields);
  for (auto const& f : head.fields) {
    if (dropped(f.name, own_key, r.metered) || nominated.contains(f.name)) continue;
    if (holds_token(f.value, r, settings)) continue;
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
    http::append_field(out, "Content-Length", r.body.size());
  out += "\r\n";
  return out;
}

bool is_for_another_provider(const request& r, const config::settings& settings) {
  auto const& then = r.read_under->cerebras.base_url;
  auto const& now = settings.cerebras.base_url;
  if (!now.contains(r.target)) return true;
  if (then.tls == now.tls && then.host == now.host && then.port == now.port) return false;
  return !is_own_key(r, settings) && std::any_of(r.head.fields.begin(), r.head.fields.end(), [](const header_field& f) {
    return http::carries_credential(f.name);
  });
}

}  // namespace cooldown::net
