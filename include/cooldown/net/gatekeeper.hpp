// Who may ask: tokens, and the names that a browser was tricked into (docs/security.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/config.hpp"
#include "cooldown/exchange/outcome.hpp"
#include "cooldown/http/head.hpp"

namespace cooldown::net {

/// A refusal, and what would have done.
struct denial {
  reason why;
  const char* explanation = "";
};

/// What lets the pages of a listed origin (server.allowed_origins) read our answers, as field lines; empty for
/// everybody else (Fetch Standard, CORS protocol).
std::string cors_fields(const http::request_head& head, const config::server_settings& settings);

/// A browser asks whether the page of a listed origin may send what it wants to; it sends no credentials with that
/// (Fetch Standard, CORS preflight).
bool is_allowed_preflight(const http::request_head& head, const config::server_settings& settings);

/// The fields that say yes to a preflight.
std::string preflight_fields(const http::request_head& head);

/// The main port: where server.auth_tokens are set, every request but that for /health carries one of them, as
/// `Proxy-Authorization: Bearer TOKEN`, or as `Authorization` when that would be replaced by our own key anyway.
/// Neither reaches the provider. Where no token is asked for, the Host must be a name that no stranger's page can have,
/// and no page of a site beyond this machine may ask, unless it is listed: it could spend our key. nullopt: it may
/// pass.
std::optional<denial> denied_at_proxy(const http::request_head& head, const config::settings& settings);

/// The access token that the request carries; empty: none of server.auth_tokens.
std::string_view token_of(const http::request_head& head, const config::settings& settings);

/// Whether the value of a header is one of the tokens: alone, behind a scheme such as Bearer, or as the user or the
/// password of Basic. Lists with commas are looked into.
bool carries_token(std::string_view value, const std::vector<std::string>& tokens);

/// The admin port: with a token, all but the health checks need it as `Authorization: Bearer TOKEN`. Without one, the
/// Host must be an address or localhost, which no page of another site can make it (DNS rebinding). Never from another
/// site's page.
std::optional<denial> denied_at_admin(const http::request_head& head, const config::admin_settings& settings);

}  // namespace cooldown::net
