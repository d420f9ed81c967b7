#include <functional>
#include <utility>

#include <fmt/format.h>

#include "cooldown/http/fields.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/text/delay_text.hpp"

#include "exchange_actor.hpp"

namespace cooldown::net {

ticket_facts exchange::facts_of_ticket() {
  ticket_facts t;
  t.unread = !facts_.parsed;
  t.size = {.input_chars = facts_.input_chars,
            .input_kinds = facts_.input_kinds,
            .images = facts_.images,
            .choices = facts_.choices,
            .max_output_tokens = facts_.max_output_tokens,
            .generates = r_.asks != http::endpoint::embedding};
  t.unweighed = r_.asks == http::endpoint::request;
  t.body_bytes = r_.body.size();
  t.max_wait = max_wait_;
  sender who{.credential = r_.key, .user = facts_.user, .address = c_.peer};
  if (c_.port.rules().tell_sessions_apart()) who.session = http::session_in(r_.head.fields);
  auto const standing = c_.port.rules().standing_of(who, r_.urgency);
  record_.belongs_to(standing, [&] { return c_.port.rules().name_of(who, seen_.names.of(r_.key)); });
  t.client = standing.client;
  t.group = standing.group;
  t.weight = standing.weight;
  t.urgency = standing.urgency;
  if (at_->limiter.awaits_returns()) t.body_hash = body_hash();
  if (!way_) {
    t.scope = scope_at(*at_, r_, facts_.model);
    return t;
  }
  t.max_wait = max_wait_ - (steady_now() - record_.started());
  t.arrived = record_.started();
  t.arrival = r_.id;
  return way_->facts_at(*at_, t);
}

/// Made only where it matters: a hash of a large body costs more than all else that is done with the request.
std::uint64_t exchange::body_hash() {
  if (body_hash_ == 0) body_hash_ = c_.port.hash_of(r_.method, r_.target, r_.body.view());
  return body_hash_;
}

exchange_step exchange::submit() {
  last_reserve const whole;
  auto const now = steady_now();
  auto const decided = at_->limiter.submit(facts_of_ticket(), now);
  if (auto const* const no = std::get_if<refused>(&decided)) return rejected(*no);
  if (auto const* const yes = std::get_if<go>(&decided)) {
    ticket_.emplace(at_->gate, yes->id);
    record_.line.cost = at_->limiter.cost_of(yes->id);
    seen_.stats.record_wait(0, constraint::none);
    return plan_.released(now);
  }
  auto const& place = std::get<queued>(decided);
  bool const known = place.held_by != constraint::paused;
  record_.waits(place.held_by, now, known ? std::optional(place.expected) : std::nullopt);
  ticket_.emplace(at_->gate, place.id);
  at_->gate.update();
  return plan_.queued();
}

/// The ticket waits again, and goes as soon as the quota admits it now.
exchange_step exchange::renew(bool unsent) {
  last_reserve const whole;
  permission_.report(verdict_on_provider::none);
  auto const now = steady_now();
  at_->limiter.renew(ticket(), now, !unsent);
  at_->gate.update();
  auto const standing = at_->limiter.standing_of(ticket(), now);
  if (standing) record_.waits(standing->held_by, now, std::nullopt);
  return plan_.queued();
}

task<exchange_step> exchange::wait_for_quota(bool in_progress) {
  using kind = admission::result::what;
  at_->limiter.identify(ticket(), body_hash());
  admission::result woken{kind::still_waiting};
  while (woken.kind == kind::still_waiting) {
    auto const moved = moved_while_waiting();
    if (moved) co_return *moved;
    woken = co_await waiting_.for_quota(*at_, ticket(), in_progress, ask_again_);
  }
  record_.line.cost = at_->limiter.cost_of(ticket());
  if (woken.kind == kind::refused) co_return rejected(woken.why);
  if (woken.kind != kind::released) co_return interrupted();
  record_.released();
  co_return plan_.released(steady_now());
}

exchange_step exchange::passed_breaker(upstream_ptr of, breaker_gate::passage passage) {
  to_ = std::move(of);
  auto const& provider = to_->provider;
  permission_.given({provider, &provider->gate}, passage.with);
  return plan_.allowed(passage.got == breaker_gate::answer::trial, steady_now());
}

/// nullopt: it has to be waited for, or the request is better served elsewhere.
std::optional<exchange_step> exchange::pass_breaker_at_once() {
  auto const now = steady_now();
  if (c_.ctl.fired() || at_->retired() || (way_ && !at_->is_usable(now))) return std::nullopt;
  auto const& of = at_->upstream_of_now();
  auto const passage = of->provider->gate.pass_at_once(now);
  if (passage.got == breaker_gate::answer::no) return std::nullopt;
  return passed_breaker(of, passage);
}

task<exchange_step> exchange::wait_for_breaker() {
  using answer = breaker_gate::answer;
  if (!way_ && at_->retired()) goes_to(all_.first());
  auto const until = r_.metered ? record_.started() + max_wait_ : steady_now();
  std::function<bool()> const elsewhere = [this] { return !at_->is_usable(steady_now()) && may_go_elsewhere(); };
  auto const told = co_await waiting_.for_breaker(*at_, ticket(), until, way_ ? &elsewhere : nullptr);
  if (told.leaves) co_return plan_.leaves(false);
  auto const& passage = told.passage;
  auto const now = steady_now();
  if (passage.got == answer::interrupted) co_return interrupted();
  if (way_ && passage.got == answer::no && at_->retired()) co_return plan_.leaves(false);
  if (passage.got == answer::no) co_return plan_.breaker_stayed_open(told.of->provider->breaker.retry_at(now) - now);
  co_return passed_breaker(told.of, passage);
}

task<exchange_step> exchange::pause(exchange_step step) {
  if (step.repeat) ++seen_.stats.upstream_retries;
  auto const still_here = co_await waiting_.pause(*at_, ticket(), step.pause);
  co_return still_here ? plan_.paused(steady_now()) : interrupted();
}

/// What the limiter refuses is over: there is no ticket, or there is none any more.
exchange_step exchange::rejected(const refused& why) {
  record_.line.cost = why.cost;
  if (why.why == reason::request_too_large_for_limit)
    explanation_ = fmt::format("It costs about {:.0f} tokens; the limit is {:.0f} tokens.", why.cost, why.limit);
  if (why.why == reason::queue_timeout) {
    if (!why.retry_after) explanation_ = at_->limiter.all_paused() ? "The upstream is paused." : "The model is paused.";
    if (limit_ && *limit_ <= max_wait_) {
      if (!explanation_.empty()) explanation_ += ' ';
      explanation_ += *limit_ > duration::zero() ? fmt::format("Its client waits at most {}.", delay_in_words(*limit_))
                                                 : "Its client does not wait.";
    }
  }
  return {.next = exchange_step::what::reject, .why = why.why, .retry_after = why.retry_after};
}

}  // namespace cooldown::net
