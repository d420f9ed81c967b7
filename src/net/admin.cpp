#include "cooldown/net/admin.hpp"

#include <algorithm>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "cooldown/http/fields.hpp"
#include "cooldown/http/json_text.hpp"
#include "cooldown/net/live_page.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

namespace json = boost::json;

local_reply health(app& shared, bool ready_matters) {
  auto const is_open = [](const destination_ptr& d) {
    return d->provider().breaker.current(steady_now()) == circuit_breaker::state::open;
  };
  bool const open = std::all_of(shared.upstreams.all().begin(), shared.upstreams.all().end(), is_open);
  bool const ready = !shared.port.draining && !open;
  local_reply reply;
  if (ready_matters && !ready) reply.status = 503;
  reply.body = fmt::format(R"({{"status":"{}","version":"{}","queue_length":{},"in_flight":{},"circuit_breaker":"{}"}})"
                           "\n",
                           shared.port.draining ? "draining" : "ok", COOLDOWN_VERSION, shared.upstreams.queue_length(),
                           at_provider(shared.sources()),
                           name_of(shared.upstreams.first()->provider().breaker.current(steady_now())));
  return reply;
}

local_reply metrics(app& shared, const request& r) {
  auto const format =
      r.wants_open_metrics ? observe::metrics_format::open_metrics : observe::metrics_format::prometheus;
  local_reply reply;
  reply.content_type = r.wants_open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
  reply.body = observe::metrics_text(shared.sources(), steady_now(), format);
  return reply;
}

local_reply status(app& shared, const request&) {
  local_reply reply;
  reply.body = observe::status_json(shared.sources(), steady_now());
  return reply;
}

local_reply bad_body(app& shared, std::string explanation) {
  refusal_details details;
  details.explanation = std::move(explanation);
  return refusal_reply(shared.telemetry.stats, reason::bad_request, details);
}

/// The JSON object that was sent, or nullopt.
std::optional<json::object> body_of(const request& r) {
  boost::system::error_code ec;
  auto value = json::parse(r.body.view(), ec);
  if (ec || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

local_reply done(std::string_view what) {
  local_reply reply;
  reply.body = json::serialize(json::object{{"status", what}}) + "\n";
  return reply;
}

local_reply reload(app& shared, const request&) {
  auto const problems = shared.reload();
  if (problems.empty()) return done("reloaded");
  std::string all = "The previous configuration stays in force:";
  for (auto const& p : problems) all += ' ' + p + ';';
  all.back() = '.';
  refusal_details details;
  details.explanation = std::move(all);
  details.status = 422;
  return refusal_reply(shared.telemetry.stats, reason::bad_request, details);
}

local_reply set_log_level(app& shared, const request& r) {
  auto const body = body_of(r);
  auto const* const level = body ? body->if_contains("level") : nullptr;
  auto const known =
      level && level->is_string() ? config::log_level_of(std::string_view(level->as_string())) : std::nullopt;
  if (!known) return bad_body(shared, R"(Send {"level": "trace", "debug", "info", "warn", "error" or "off"}.)");
  auto logging = shared.port.settings()->logging;
  logging.level = *known;
  shared.telemetry.log.configure(logging);
  return done("until the next reload");
}

/// The scopes of a model whose credential is shown so. False: there is none.
bool pause_key(destination& at, std::string_view model, std::uint64_t credential, bool paused) {
  bool found = false;
  for (auto const& s : at.limiter.report(steady_now(), 0)) {
    if (s.model != model || observe::shown(s.credential) != credential) continue;
    found = at.limiter.pause({.credential = s.credential, .model = s.model}, paused) || found;
  }
  return found;
}

/// All accounts of an upstream, or one of them.
local_reply pause_upstream(app& shared, const request& r, bool paused) {
  auto const body = body_of(r);
  auto const* const name = body ? body->if_contains("upstream") : nullptr;
  if (!name || !name->is_string())
    return bad_body(shared, R"(Send {"upstream": "…"} with a name as /status shows it.)");
  if (!shared.upstreams.pause(std::string_view(name->as_string()), paused)) {
    refusal_details details;
    details.explanation = "No upstream has that name.";
    return refusal_reply(shared.telemetry.stats, reason::not_found, details);
  }
  shared.telemetry.log.info(fmt::format("{} upstream {} by the admin port", paused ? "paused" : "resumed",
                                        http::json_text(std::string_view(name->as_string()))));
  return done(paused ? "paused" : "resumed");
}

local_reply pause(app& shared, const request& r, bool paused) {
  auto const body = body_of(r);
  auto const* const model = body ? body->if_contains("model") : nullptr;
  auto const* const key = body ? body->if_contains("credential") : nullptr;
  if (!model || !model->is_string() || (key && !key->is_int64()))
    return bad_body(shared,
                    R"(Send {"model": "…", "credential": …} as /status shows them; without credential: all keys.)");
  std::string_view const name = model->as_string();
  bool found = false;
  for (auto const& d : shared.upstreams.all()) {
    found = (key ? pause_key(*d, name, static_cast<std::uint64_t>(key->as_int64()), paused)
                 : d->limiter.pause_model(name, paused)) ||
            found;
    d->gate.update();
  }
  if (!found) {
    refusal_details details;
    details.explanation = "No request of that model has come yet.";
    return refusal_reply(shared.telemetry.stats, reason::not_found, details);
  }
  shared.upstreams.ask_again();
  shared.telemetry.log.info(fmt::format("{} {} ({}) by the admin port", paused ? "paused" : "resumed",
                                        http::json_text(name),
                                        key ? fmt::format("key {:06}", key->as_int64()) : std::string("any key")));
  return done(paused ? "paused" : "resumed");
}

struct page {
  std::string_view path;
  std::string_view method;
  local_reply (*answer)(app&, const request&);
};

constexpr page admin_pages[] = {
    {"/health", "GET", [](app& a, const request&) { return health(a, false); }},
    {"/healthz", "GET", [](app& a, const request&) { return health(a, false); }},
    {"/readyz", "GET", [](app& a, const request&) { return health(a, true); }},
    {"/metrics", "GET", metrics},
    {"/status", "GET", status},
    {"/reload", "POST", reload},
    {"/log-level", "POST", set_log_level},
    {"/scopes/pause", "POST", [](app& a, const request& r) { return pause(a, r, true); }},
    {"/scopes/resume", "POST", [](app& a, const request& r) { return pause(a, r, false); }},
    {"/upstreams/pause", "POST", [](app& a, const request& r) { return pause_upstream(a, r, true); }},
    {"/upstreams/resume", "POST", [](app& a, const request& r) { return pause_upstream(a, r, false); }},
};

local_reply wrong_method(app& shared, std::string_view allowed) {
  auto reply = refusal_reply(shared.telemetry.stats, reason::method_not_allowed, {});
  http::append_field(reply.fields, "Allow", allowed);
  return reply;
}

bool reads(const request& r) {
  return r.method == "GET" || r.method == "HEAD";
}

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
    if (p.method == "GET") return reads(r) ? p.answer(shared, r) : wrong_method(shared, "GET, HEAD");
    if (r.method != p.method) return wrong_method(shared, p.method);
    // A page of another site cannot send this type without asking first, and nobody here says yes.
    if (r.json_body) return p.answer(shared, r);
    refusal_details details;
    details.status = 415;
    details.explanation = "Send Content-Type: application/json.";
    return refusal_reply(shared.telemetry.stats, reason::bad_request, details);
  }
  if (serves == role::admin) {
    if (auto file = page_file(r.path())) return reads(r) ? std::move(*file) : wrong_method(shared, "GET, HEAD");
    if (r.path() == "/events") return wrong_method(shared, "GET");
  }
  refusal_details details;
  details.explanation =
      "The admin port serves /, /events, /healthz, /readyz, /metrics and /status, and takes POST at "
      "/reload, /log-level, /scopes/pause, /scopes/resume, /upstreams/pause and /upstreams/resume.";
  return refusal_reply(shared.telemetry.stats, reason::not_found, details);
}

}  // namespace cooldown::net
