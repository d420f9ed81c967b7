#include "cooldown/net/gatekeeper.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "cooldown/http/fields.hpp"
#include "cooldown/net/asio.hpp"
#include "cooldown/net/live_page.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

/// Takes as long wherever they differ.
bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

/// The token of a field; nullopt when it has none, or stands more than once: who reads which of them?
std::optional<std::string_view> bearer(const http::request_head& head, std::string_view name) {
  std::optional<std::string_view> found;
  for (auto const& f : head.fields) {
    if (!iequals(f.name, name)) continue;
    if (found || !istarts_with(f.value, "bearer ")) return std::nullopt;
    found = trim(f.value.substr(7));
  }
  return found;
}

/// All of them are looked at, for which one it is is nobody's business either.
bool is_one_of(std::string_view sent, const std::vector<std::string>& tokens) {
  std::size_t hits = 0;
  for (auto const& t : tokens) hits += same_secret(sent, t) ? 1U : 0U;
  return hits > 0;
}

/// Base64, with its padding or without; empty when it is none.
std::string decoded(std::string_view base64) {
  std::string in(base64);
  while (in.size() % 4 != 0) in += '=';
  std::string out(in.size(), '\0');
  auto const n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                 reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(in.size()));
  auto const padding = in.size() - std::min(in.find('='), in.size());
  out.resize(n < 0 ? 0 : static_cast<std::size_t>(n) - std::min(padding, static_cast<std::size_t>(n)));
  return out;
}

/// One credential: alone, or behind its scheme.
bool names_token(std::string_view credential, const std::vector<std::string>& tokens) {
  if (is_one_of(credential, tokens)) return true;
  auto const scheme_end = credential.find_first_of(" \t");
  if (scheme_end == std::string_view::npos) return false;
  auto const rest = trim(credential.substr(scheme_end));
  if (is_one_of(rest, tokens)) return true;
  if (!iequals(credential.substr(0, scheme_end), "basic")) return false;
  auto const pair = decoded(rest);
  auto const colon = pair.find(':');
  if (colon == std::string::npos) return false;
  return is_one_of(std::string_view(pair).substr(0, colon), tokens) ||
         is_one_of(std::string_view(pair).substr(colon + 1), tokens);
}

std::string_view path_of(const http::request_head& head) {
  return head.target.substr(0, head.target.find('?'));
}

/// The host of an authority, without its port, without brackets and without the dot that ends a fully qualified name.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  auto host = authority.substr(0, authority.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

/// No page of another site has such a host: a browser sends the name that stands in its address bar.
bool is_own_name(std::string_view authority, std::string_view listening_host) {
  auto const host = host_of(authority);
  if (host.empty() || iequals(host, "localhost") || iequals(host, listening_host)) return true;
  error_code no_address;
  asio::ip::make_address(std::string(host), no_address);
  return !no_address;
}

/// Names that no public name server answers for, so that no stranger can make them point here: those without a dot
/// (containers, the local network), .localhost (RFC 6761), .home.arpa (RFC 8375), .internal (reserved for private use
/// by ICANN), and services of a Kubernetes cluster.
bool is_private_name(std::string_view host) {
  constexpr std::string_view suffixes[] = {".localhost", ".internal", ".home.arpa", ".svc", ".svc.cluster.local"};
  return host.find('.') == std::string_view::npos ||
         std::any_of(std::begin(suffixes), std::end(suffixes), [&](std::string_view suffix) {
           return host.size() > suffix.size() && iequals(host.substr(host.size() - suffix.size()), suffix);
         });
}

/// What a browser says of a request that a page of another origin caused (Fetch Metadata). Links and images carry it
/// without an Origin.
bool is_of_another_site(const http::request_head& head) {
  auto const site = head.find("sec-fetch-site").value_or("");
  return iequals(site, "cross-site") || iequals(site, "same-site");
}

/// The host of an origin as a browser sends it.
std::string_view host_of_origin(std::string_view origin) {
  auto const scheme_end = origin.find("://");
  return scheme_end == std::string_view::npos ? std::string_view{} : host_of(origin.substr(scheme_end + 3));
}

bool is_this_machine(std::string_view host) {
  if (iequals(host, "localhost")) return true;
  error_code no_address;
  auto const address = asio::ip::make_address(std::string(host), no_address);
  return !no_address && address.is_loopback();
}

bool is_listed(std::string_view text, const std::vector<std::string>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& a) { return a == "*" || iequals(a, text); });
}

/// Where no token is asked for. A page can send a POST without asking first, and one whose name was rebound to us can
/// read every answer: of that, only the Host tells.
std::optional<denial> denied_to_page(const http::request_head& head, const config::server_settings& settings) {
  auto const host = host_of(head.authority);
  // Where /health alone needs no token, it tells a page nothing; and no browser takes our certificate for its name.
  bool const host_matters = settings.auth_tokens.empty() && settings.tls.certificate_file.empty();
  if (host_matters && !is_own_name(head.authority, settings.host) && !is_private_name(host) &&
      !is_listed(host, settings.allowed_hosts))
    return denial{reason::wrong_host, "Use localhost or an IP address, or add the name to server.allowed_hosts."};
  auto const& pages = settings.allowed_origins;
  if (auto const origin = head.find("origin")) {
    if (is_listed(*origin, pages) || is_this_machine(host_of_origin(*origin))) return std::nullopt;
    return denial{reason::cross_site, "Add its origin to server.allowed_origins."};
  }
  if (!is_of_another_site(head) || is_listed("", pages)) return std::nullopt;
  return denial{reason::cross_site, "A page whose origin is in server.allowed_origins may ask with fetch()."};
}

}  // namespace

std::string cors_fields(const http::request_head& head, const config::server_settings& settings) {
  std::string out;
  if (settings.allowed_origins.empty()) return out;
  // Caches must not give one origin's answer to another, whether this one is listed or not.
  http::append_field(out, "Vary", "Origin");
  auto const origin = head.find("origin");
  if (!origin || !is_listed(*origin, settings.allowed_origins)) return out;
  http::append_field(out, "Access-Control-Allow-Origin", *origin);
  http::append_field(out, "Access-Control-Expose-Headers", "*");
  return out;
}

bool is_allowed_preflight(const http::request_head& head, const config::server_settings& settings) {
  if (head.method != "OPTIONS" || !head.find("access-control-request-method")) return false;
  auto const origin = head.find("origin");
  return origin && is_listed(*origin, settings.allowed_origins);
}

std::string preflight_fields(const http::request_head& head) {
  std::string out;
  http::append_field(out, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
  // Not "*": that does not include Authorization.
  if (auto const names = head.find("access-control-request-headers"))
    http::append_field(out, "Access-Control-Allow-Headers", *names);
  if (head.find("access-control-request-private-network") == "true")
    http::append_field(out, "Access-Control-Allow-Private-Network", "true");
  http::append_field(out, "Access-Control-Max-Age", "600");
  return out;
}

std::string_view token_of(const http::request_head& head, const config::settings& settings) {
  auto const& tokens = settings.server.auth_tokens;
  if (tokens.empty()) return "";
  auto const sent = bearer(head, "proxy-authorization").value_or("");
  if (is_one_of(sent, tokens)) return sent;
  // Where our own key takes its place, Authorization is free for the token.
  auto const as_key = settings.cerebras.api_key.empty() ? "" : bearer(head, "authorization").value_or("");
  return is_one_of(as_key, tokens) ? as_key : "";
}

std::optional<denial> denied_at_proxy(const http::request_head& head, const config::settings& settings) {
  auto const& tokens = settings.server.auth_tokens;
  bool const own_key = !settings.cerebras.api_key.empty();
  if (!token_of(head, settings).empty()) return std::nullopt;
  if (tokens.empty() || path_of(head) == "/health") return denied_to_page(head, settings.server);
  return denial{reason::unauthorized,
                own_key
                    ? "Send one of server.auth_tokens as 'Authorization: Bearer TOKEN', where clients put their API "
                      "key, or as 'Proxy-Authorization: Bearer TOKEN'."
                    : "Send one of server.auth_tokens as 'Proxy-Authorization: Bearer TOKEN'; 'Authorization' is "
                      "for the provider's key."};
}

bool carries_token(std::string_view value, const std::vector<std::string>& tokens) {
  if (tokens.empty()) return false;
  if (names_token(trim(value), tokens)) return true;
  if (value.find(',') == std::string_view::npos) return false;
  for (std::string_view rest = value, one; next_token(rest, ',', one);)
    if (names_token(one, tokens)) return true;
  return false;
}

std::optional<denial> denied_at_admin(const http::request_head& head, const config::admin_settings& settings) {
  if (is_of_another_site(head)) return denial{reason::cross_site};
  if (auto const origin = head.find("origin")) {
    auto const scheme_end = origin->find("://");
    if (scheme_end == std::string_view::npos || !iequals(origin->substr(scheme_end + 3), head.authority))
      return denial{reason::cross_site};
  }
  if (settings.token.empty()) {
    if (is_own_name(head.authority, settings.host)) return std::nullopt;
    return denial{reason::wrong_host, "Use localhost or an IP address, or set admin.token."};
  }
  auto const path = path_of(head);
  // The page's own files hold nothing; what it shows has to be asked for with the token.
  if (is_page_file(path)) return std::nullopt;
  if (path == "/healthz" || path == "/readyz" || path == "/health") return std::nullopt;
  auto const sent = bearer(head, "authorization");
  if (sent && same_secret(*sent, settings.token)) return std::nullopt;
  return denial{reason::unauthorized, "Send admin.token as 'Authorization: Bearer TOKEN'."};
}

}  // namespace cooldown::net
