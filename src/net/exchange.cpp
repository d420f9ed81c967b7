#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cooldown/exchange/comments.hpp"

#include "exchange_actor.hpp"

namespace cooldown::net {
namespace {

/// When the first comment is due, where the client reads an event stream whose errors are `{"error": ...}`. Those of
/// Messages are not.
std::optional<duration> first_comment(const request& r, const http::body_facts& facts,
                                      const config::settings& settings) {
  auto const& after = settings.cerebras.queue.keepalive_after;
  if (!after || !facts.stream || !r.http11 || r.asks != http::endpoint::completion) return std::nullopt;
  return *after == config::by_the_client ? first_comment_by(r.timeout) : *after;
}

/// How long the client will be there: by its own word, or by its timeout unless comments keep it patient.
std::optional<duration> client_limit(const request& r, std::optional<duration> first_comment) {
  if (r.prefer_wait) return r.prefer_wait;
  if (r.timeout && first_comment && keep_patient(*first_comment, *r.timeout)) return std::nullopt;
  return r.timeout;
}

bool is_last(exchange_step::what next) {
  using what = exchange_step::what;
  return next == what::relay || next == what::reject || next == what::hang_up;
}

}  // namespace

exchange::exchange(client_connection& c, request& r, upstreams& all, http::body_facts facts)
    : c_(c),
      all_(all),
      at_(all.first()),
      seen_(c.port.telemetry),
      r_(r),
      settings_(c.port.settings()),
      facts_(std::move(facts)),
      first_comment_(first_comment(r, facts_, *settings_)),
      limit_(client_limit(r, first_comment_)),
      max_wait_(std::min<duration>(settings_->cerebras.queue.max_wait, limit_.value_or(duration::max()))),
      record_(c, at_, r),
      room_{at_, r.metered},
      attempt_(c),
      writer_(c, r, record_, *settings_),
      waiting_(c, record_, writer_, first_comment_),
      plan_({.metered = r.metered,
             .method = r.method,
             .path = r.path(),
             .retries = settings_->cerebras.retries,
             .breaker_enabled = settings_->cerebras.circuit_breaker.failure_threshold > 0,
             .wait_until = r.metered ? record_.started() + max_wait_ : record_.started()}) {
  record_.line.model = facts_.model;
  if (r.metered && all.several()) find_way();
}

task<exchange_step> exchange::attempt(bool fresh) {
  auto const body = body_there();
  auto result = co_await attempt_.make(*at_, to_, r_, body, *settings_, fresh);
  auto& end = result.end;
  note_key(end);
  end.elsewhere = way_ && (end.failed() || end.status >= 400) && may_go_elsewhere();
  if (end.sent) {
    at_->last_used = steady_now();
    if (way_) record_.line.to = at_->name();
    ++record_.line.attempts;
    record_.upstream_time = attempt_.took();
    record_.line.upstream = seconds_of(attempt_.took());
  }
  auto const step = plan_.ended(end, steady_now());
  permission_.report(step.verdict);
  if (r_.metered) note_verdict(step.verdict, result);
  if (end.failed()) {
    note_failure(result);
    c_.ctl.reset();
    if (end.local && step.next == exchange_step::what::reject) explanation_ = result.local.message() + ".";
  }
  if (step.next != exchange_step::what::relay && step.next != exchange_step::what::ask_about_429) attempt_.drop();
  co_return step;
}

void exchange::note_failure(const attempt_result& result) {
  if (result.end.stale) {
    seen_.log.debug(fmt::format("request {}: a kept connection was gone: {}", r_.id, result.message));
    return;
  }
  if (!result.end.local) ++seen_.stats.upstream_failures;
  seen_.log.warn(
      fmt::format("request {}: {}: {}", r_.id, result.end.local ? "this machine" : "upstream", result.message));
}

/// For the rate of failures, and what the last one was.
void exchange::note_verdict(verdict_on_provider verdict, const attempt_result& result) {
  auto& failures = to_->provider->failures;
  auto const now = steady_now();
  if (verdict == verdict_on_provider::well) failures.worked(now);
  if (verdict != verdict_on_provider::failing) return;
  auto const status = result.end.status;
  failures.failed(now, result.end.failed() ? result.message : fmt::format("status {}", status));
  ++seen_.stats.provider_failures[name_of(result.end.kind)];
}

/// The client left, or we are shutting down.
exchange_step exchange::interrupted() {
  if (c_.ctl.why() != interruption::draining) return plan_.client_left();
  c_.ctl.reset();
  return plan_.draining();
}

task<bool> exchange::reject(exchange_step step) {
  if (step.unsent && ticket_) ticket_->not_sent();
  if (step.uncharged && ticket_) ticket_->settle(0, std::nullopt);
  refusal_details details;
  details.retry_after = step.retry_after;
  if (way_ && step.retry_after) details.retry_after = way_->earliest(facts_of_ticket(), step.retry_after, steady_now());
  details.explanation = step.explanation.empty() ? std::move(explanation_) : std::string(step.explanation);
  auto const keep = co_await writer_.reject(step.why, std::move(details));
  co_return keep;
}

/// What needs no wait; nullopt: perform() has to follow.
std::optional<exchange_step> exchange::perform_at_once(const exchange_step& step) {
  using what = exchange_step::what;
  switch (step.next) {
    case what::submit:
      return submit();
    case what::renew:
      return renew(step.unsent);
    case what::move:
      return move(step);
    case what::wait_for_breaker:
      return pass_breaker_at_once();
    default:
      return std::nullopt;
  }
}

/// No coroutine itself, which would be one more frame around each step.
task<exchange_step> exchange::perform(const exchange_step& step) {
  using what = exchange_step::what;
  switch (step.next) {
    case what::wait_for_quota:
      return wait_for_quota(step.in_progress);
    case what::wait_for_breaker:
      return wait_for_breaker();
    case what::pause:
      return pause(step);
    case what::ask_about_429:
      return ask_about_429();
    default:
      return attempt(step.fresh);
  }
}

/// There is no answer any more: the client left.
void exchange::hang_up(const exchange_step& step) {
  if (step.unsent && ticket_) ticket_->not_sent();
  ++seen_.stats.clients_gone;
}

task<bool> exchange::run(client_connection& c, request& r, upstreams& to) {
  http::body_facts facts;
  if (r.metered) facts = http::inspect_body(r.body.view(), r.body.capacity(), r.coding);
  exchange x(c, r, to, std::move(facts));
  auto step = x.begin();
  while (!is_last(step.next)) {
    auto const done = x.perform_at_once(step);
    if (done) {
      step = *done;
    } else {
      step = co_await x.perform(step);
    }
  }
  bool keep = false;
  if (step.next == exchange_step::what::relay) {
    keep = co_await x.relay();
  } else if (step.next == exchange_step::what::reject) {
    keep = co_await x.reject(step);
  } else {
    x.hang_up(step);
  }
  c.watch.rest();
  co_return keep;
}

exchange_step exchange::begin() {
  c_.watch.arm();
  c_.where = phase::exchanging;
  if (way_) goes_to(choose().to);
  auto const now = steady_now();
  auto const& provider = at_->provider();
  bool const admits = !r_.metered || provider.gate.admits(now);
  return plan_.begin(admits, provider.breaker.retry_at(now) - now, now);
}

task<bool> run_exchange(client_connection& c, request& r, upstreams& to) {
  return exchange::run(c, r, to);
}

}  // namespace cooldown::net
