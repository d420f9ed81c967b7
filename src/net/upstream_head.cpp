#include "cooldown/net/upstream_head.hpp"

#include "cooldown/core/ascii.hpp"
#include "cooldown/http/fields.hpp"

namespace cooldown::net {
namespace {

constexpr const char* via = "1.1 cooldown-proxy";

/// Fields of the client's that do not go on: hop-by-hop ones, framing, and those we write ourselves.
bool dropped(std::string_view name, bool own_key, bool metered) {
  return http::is_hop_by_hop(name) || iequals(name, "host") || iequals(name, "content-length") ||
         iequals(name, "expect") || (own_key && iequals(name, "authorization")) ||
         (metered && iequals(name, "accept-encoding"));
}

}  // namespace

void write_upstream_head(const http::request_head& head, const config::settings& settings, request& r) {
  auto const& origin = settings.cerebras.base_url;
  auto& out = r.upstream_head;
  out.clear();
  out.append(head.method).append(" ");
  if (head.target != "*") out.append(origin.prefix);
  out.append(head.target).append(" HTTP/1.1\r\n");
  http::append_field(out, "Host", origin.authority());
  bool const own_key = !settings.cerebras.api_key.empty();
  if (own_key) http::append_field(out, "Authorization", "Bearer " + settings.cerebras.api_key);
  // The usage at the end of an answer must be readable (docs/decisions/006).
  if (r.metered) http::append_field(out, "Accept-Encoding", "identity");
  http::nominations const nominated(head.fields);
  for (auto const& f : head.fields) {
    if (dropped(f.name, own_key, r.metered) || nominated.contains(f.name)) continue;
    if (r.method == "OPTIONS" && iequals(f.name, "max-forwards")) {
      auto const hops = parse_u64(f.value);
      r.last_hop = r.last_hop || hops == 0U;
      http::append_field(out, f.name, std::to_string(hops.value_or(1) - (hops == 0U ? 0U : 1U)));
      continue;
    }
    http::append_field(out, f.name, f.value);
  }
  http::append_field(out, "Via", via);
}

}  // namespace cooldown::net
