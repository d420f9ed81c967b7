#include "cooldown/net/admin.hpp"

#include <fmt/format.h>

#include "cooldown/core/ascii.hpp"
#include "cooldown/http/fields.hpp"

namespace cooldown::net {
namespace {

local_reply health(app& shared, bool ready_matters) {
  bool const open = shared.breaker.current(steady_now()) == circuit_breaker::state::open;
  bool const ready = !shared.draining && !open;
  local_reply reply;
  if (ready_matters && !ready) reply.status = 503;
  reply.body = fmt::format(R"({{"status":"{}","version":"{}","queue_length":{},"in_flight":{},"circuit_breaker":"{}"}})"
                           "\n",
                           shared.draining ? "draining" : "ok", COOLDOWN_VERSION, shared.limiter.queue_length(),
                           shared.limiter.in_flight(), name_of(shared.breaker.current(steady_now())));
  return reply;
}

local_reply metrics(app& shared) {
  local_reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = observe::metrics_text(shared.sources(), steady_now());
  return reply;
}

local_reply status(app& shared) {
  local_reply reply;
  reply.body = observe::status_json(shared.sources(), steady_now());
  return reply;
}

struct page {
  std::string_view path;
  local_reply (*answer)(app&);
};

constexpr page admin_pages[] = {
    {"/health", [](app& a) { return health(a, false); }},
    {"/healthz", [](app& a) { return health(a, false); }},
    {"/readyz", [](app& a) { return health(a, true); }},
    {"/metrics", metrics},
    {"/status", status},
};

}  // namespace

local_reply local_answer(app& shared, const request& r, role serves) {
  if (r.preflight) return {};
  if (r.last_hop) {
    local_reply reply;
    http::append_field(reply.fields, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    return reply;
  }
  for (auto const& p : admin_pages) {
    if (r.path() != p.path) continue;
    if (serves == role::proxy && p.path != "/health") break;
    if (r.method == "GET" || r.method == "HEAD") return p.answer(shared);
    auto reply = refusal_reply(shared, reason::method_not_allowed, {});
    http::append_field(reply.fields, "Allow", "GET, HEAD");
    return reply;
  }
  refusal_details details;
  details.explanation = "The admin port serves /healthz, /readyz, /metrics and /status.";
  return refusal_reply(shared, reason::not_found, details);
}

}  // namespace cooldown::net
