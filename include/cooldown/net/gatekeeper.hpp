// Access control: tokens, and checks of Host and Origin against web pages (docs/security.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/config.hpp"
#include "cooldown/exchange/outcome.hpp"
#include "cooldown/http/head.hpp"

namespace cooldown::net {

/// A rejection, and what to do about it.
struct denial {
  reason why;
  const char* explanation = "";
};

/// The header lines that let pages of a listed origin (server.allowed_origins) read our answers; empty for all others
/// (Fetch Standard, CORS protocol).
std::string cors_fields(const http::request_head& head, const config::server_settings& settings);

/// Whether this is a browser's preflight for a page of a listed origin; preflights carry no credentials (Fetch
/// Standard, CORS preflight).
bool is_allowed_preflight(const http::request_head& head, const config::server_settings& settings);

/// The header lines that allow a preflight.
std::string preflight_fields(const http::request_head& head);

/// Access to the main port. If server.auth_tokens is set, every request except /health needs one of them, as
/// `Proxy-Authorization: Bearer TOKEN`, or as `Authorization` if our own key replaces that anyway. Neither reaches the
/// provider. If no token is needed, the Host must be a name that no foreign page can have, and pages of other sites are
/// rejected unless listed, because they could spend our key. nullopt: allowed.
std::optional<denial> denied_at_proxy(const http::request_head& head, const config::settings& settings);

/// The request's access token; empty: none of server.auth_tokens.
std::string_view token_of(const http::request_head& head, const config::settings& settings);

/// Whether a header's value contains one of the tokens: alone, after a scheme such as Bearer, as the user or password
/// of Basic, or in a list with commas.
bool carries_token(std::string_view value, const std::vector<std::string>& tokens);

/// Access to the admin port. With a token, all but the health checks and the page's files need it as `Authorization:
/// Bearer TOKEN`. Without one, the Host must be an address, localhost or admin.host, which a page of another site
/// cannot have (DNS rebinding). Requests of other sites' pages are always rejected.
std::optional<denial> denied_at_admin(const http::request_head& head, const config::admin_settings& settings);

}  // namespace cooldown::net
