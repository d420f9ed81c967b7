#include "cooldown/exchange/outcome.hpp"

#include <algorithm>
#include <iterator>

namespace cooldown {
namespace {

constexpr outcome_text table[] = {
    {reason::bad_request, side::client, 400, "invalid_request_error", "bad_request", "The request is not valid HTTP.",
     false},
    {reason::request_timeout, side::client, 408, "invalid_request_error", "request_timeout",
     "The request did not arrive in time.", true},
    {reason::body_too_large, side::client, 413, "invalid_request_error", "body_too_large",
     "The request body is larger than server.max_body_size.", false},
    {reason::unauthorized, side::client, 401, "invalid_request_error", "unauthorized", "A valid token is required.",
     false},
    {reason::wrong_host, side::client, 421, "invalid_request_error", "wrong_host",
     "The proxy does not answer to the name in the Host header.", false},
    {reason::cross_site, side::client, 403, "invalid_request_error", "cross_site",
     "A browser sent this request for a page of another site.", false},
    {reason::not_found, side::client, 404, "invalid_request_error", "not_found", "There is nothing at this path.",
     false},
    {reason::method_not_allowed, side::client, 405, "invalid_request_error", "method_not_allowed",
     "This path does not allow that method.", false},
    {reason::loop_detected, side::upstream, 508, "invalid_request_error", "loop_detected",
     "This request has already passed through this proxy: cerebras.base_url leads back to it. It must be the "
     "provider's address.",
     false},
    {reason::request_too_large_for_limit, side::client, 413, "too_many_tokens_error", "request_too_large_for_limit",
     "This request costs more tokens than the provider's whole limit, so no wait can admit it. Lower "
     "max_completion_tokens or shorten the input.",
     false},
    {reason::queue_full, side::internal, 503, "server_error", "queue_full", "Too many requests are waiting for quota.",
     true},
    {reason::queue_timeout, side::internal, 429, "too_many_requests_error", "queue_timeout",
     "The quota does not admit this request within the time it may wait.", true},
    {reason::circuit_open, side::upstream, 503, "server_error", "circuit_open",
     "The provider failed several times in a row, so no requests are sent to it for a while.", true},
    {reason::provider_changed, side::internal, 503, "server_error", "provider_changed",
     "The provider was changed by a reload while this request waited, and the request's key or path is for the one "
     "before. Send the request again.",
     true},
    {reason::local_failure, side::internal, 503, "server_error", "local_failure",
     "The request failed on the proxy's own machine.", true},
    {reason::upstream_unavailable, side::upstream, 503, "server_error", "upstream_unavailable",
     "The provider could not be reached.", true},
    {reason::upstream_tls_error, side::upstream, 502, "server_error", "upstream_tls_error",
     "The provider's certificate could not be verified.", false},
    {reason::upstream_protocol_error, side::upstream, 502, "server_error", "upstream_protocol_error",
     "The provider's answer is not valid HTTP.", true},
    {reason::upstream_timeout, side::upstream, 504, "server_error", "upstream_timeout",
     "The provider did not answer in time.", true},
    {reason::draining, side::internal, 503, "server_error", "draining", "The proxy is shutting down.", true},
    {reason::internal_error, side::internal, 500, "server_error", "internal_error", "The proxy failed.", true},
};

}  // namespace

const outcome_text& text_of(reason why) {
  auto const* const found =
      std::find_if(std::begin(table), std::end(table), [&](const outcome_text& o) { return o.why == why; });
  return found != std::end(table) ? *found : *std::prev(std::end(table));
}

}  // namespace cooldown
