#include "cooldown/exchange/exchange_plan.hpp"

#include <algorithm>

#include "cooldown/exchange/circuit_breaker.hpp"
#include "cooldown/exchange/retry.hpp"
#include "cooldown/exchange/wrong_base_url.hpp"

namespace cooldown {
namespace {

using step = exchange_step::what;
using end_kind = attempt_end::what;

// A wait shorter than this is none.
constexpr duration shortest_wait = std::chrono::milliseconds{1};

// Whoever waits for a provider that nobody can connect to asks again so soon.
constexpr duration after_no_connection = std::chrono::milliseconds{100};

// A release is for now. What waits longer than this before it is sent, for the breaker or a repeat, would be charged
// by the provider at a moment that the limiter knows nothing of.
constexpr duration release_lifetime = std::chrono::milliseconds{250};

constexpr duration retry_when_draining = std::chrono::seconds{5};
constexpr duration retry_after_failure = std::chrono::seconds{1};

reason reason_of(const attempt_end& end) {
  switch (end.kind) {
    case end_kind::unacceptable:
      return reason::upstream_protocol_error;
    case end_kind::timeout:
      return reason::upstream_timeout;
    case end_kind::answered:
    case end_kind::not_for_it:
    case end_kind::no_connection:
    case end_kind::broken:
    case end_kind::interrupted:
    case end_kind::superseded:
      break;
  }
  if (end.certificate) return reason::upstream_tls_error;
  return end.local ? reason::local_failure : reason::upstream_unavailable;
}

/// Whether sending the request again at once may help.
bool may_pass(reason why) {
  return why == reason::upstream_unavailable || why == reason::local_failure;
}

}  // namespace

exchange_step exchange_plan::rejection(reason why, std::optional<duration> retry_after) const {
  return {.next = step::reject, .why = why, .retry_after = retry_after, .unsent = !sent_by_release_};
}

/// Whoever comes while the provider is left alone is told so at once; whoever has been let in keeps its place.
exchange_step exchange_plan::begin(bool breaker_admits, duration breaker_opens_in, time_point now) {
  if (!facts_.metered) return next_attempt(now);
  if (!breaker_admits) return breaker_stayed_open(breaker_opens_in);
  return {.next = step::submit};
}

exchange_step exchange_plan::queued() {
  if (!renewing_) has_waited_ = true;
  return {.next = step::wait_for_quota, .in_progress = renewing_};
}

exchange_step exchange_plan::released(time_point now) {
  released_at_ = now;
  sent_by_release_ = false;
  return next_attempt(now);
}

exchange_step exchange_plan::next_attempt(time_point now) {
  asked_at_ = now;
  return {.next = step::wait_for_breaker};
}

exchange_step exchange_plan::allowed(bool trial, time_point now) {
  trial_ = trial;
  if (now - asked_at_ >= shortest_wait) has_waited_ = true;
  // Beyond its time in the queue it would only be refused there.
  renewing_ = released_at_ && now < facts_.wait_until && now - *released_at_ > release_lifetime;
  if (renewing_) return {.next = step::renew, .unsent = !sent_by_release_};
  return {.next = step::attempt, .fresh = fresh_};
}

exchange_step exchange_plan::client_left() const {
  return {.next = step::hang_up, .unsent = !sent_by_release_};
}

exchange_step exchange_plan::draining() const {
  return rejection(reason::draining, retry_when_draining);
}

exchange_step exchange_plan::breaker_stayed_open(duration opens_in) const {
  return rejection(reason::circuit_open, opens_in);
}

/// Not what one client could bring about with an unmetered request of its choice, not what is wrong on this machine,
/// and not that a kept connection was not there any more.
verdict_on_provider exchange_plan::judge(const attempt_end& end) const {
  using verdict = verdict_on_provider;
  switch (end.kind) {
    case end_kind::answered:
      if (end.stale) return verdict::none;
      if (!is_provider_failure(end.status)) return verdict::well;
      break;
    case end_kind::not_for_it:
    case end_kind::superseded:
    case end_kind::interrupted:
      return verdict::none;
    case end_kind::no_connection:
      return end.local ? verdict::none : verdict::failing;
    case end_kind::broken:
      if (end.local || end.stale) return verdict::none;
      break;
    case end_kind::unacceptable:
    case end_kind::timeout:
      break;
  }
  return facts_.metered ? verdict::failing : verdict::none;
}

exchange_step exchange_plan::ended(const attempt_end& end, time_point now) {
  sent_by_release_ = sent_by_release_ || end.sent;
  auto next = end.elsewhere && may_move(end) ? leaves(end.key_refused) : failed(end, now);
  next.verdict = judge(end);
  return next;
}

/// What was sent may be generated, and charged, by both: whoever wants no repeats does not want that either.
bool exchange_plan::may_move(const attempt_end& end) const {
  if (!facts_.metered || end.local || end.stale) return false;
  switch (end.kind) {
    case end_kind::answered:
      return end.key_refused || (is_provider_failure(end.status) && facts_.retries > 0);
    case end_kind::no_connection:
      return true;
    case end_kind::broken:
    case end_kind::unacceptable:
    case end_kind::timeout:
      return facts_.retries > 0;
    case end_kind::not_for_it:
    case end_kind::superseded:
    case end_kind::interrupted:
      break;
  }
  return false;
}

exchange_step exchange_plan::leaves(bool uncharged) {
  bool const unsent = !sent_by_release_;
  sent_by_release_ = renewing_ = fresh_ = false;
  released_at_.reset();
  return {.next = step::move, .uncharged = uncharged, .unsent = unsent};
}

exchange_step exchange_plan::failed(const attempt_end& end, time_point now) {
  switch (end.kind) {
    case end_kind::interrupted:
      return client_left();
    case end_kind::not_for_it:
      return rejection(reason::provider_changed, retry_after_failure);
    case end_kind::superseded:
      return next_attempt(now);
    case end_kind::answered:
      if (end.status == 429 && facts_.metered) return {.next = step::ask_about_429};
      return end.status == 404 ? refused_with_404(end) : repeat_or({.next = step::relay}, end);
    case end_kind::no_connection:
    case end_kind::broken:
    case end_kind::unacceptable:
    case end_kind::timeout:
      break;
  }
  bool const nobody_there = facts_.metered && end.kind == end_kind::no_connection && !end.certificate && !end.local;
  // It only went to see whether somebody is there; nobody is, and it waits on like the others.
  if (nobody_there && trial_) return next_attempt(now);
  // Who has queued until the provider went away waits for it, too: until the breaker opens, and then with the rest.
  if (nobody_there && has_waited_ && facts_.breaker_enabled && now < facts_.wait_until)
    return {.next = step::pause, .pause = after_no_connection};
  auto const why = reason_of(end);
  auto const last = rejection(why, may_pass(why) ? std::optional(retry_after_failure) : std::nullopt);
  // A timeout is not repeated: the first attempt may still be generating, and charged.
  return end.kind == end_kind::timeout ? last : repeat_or(last, end);
}

exchange_step exchange_plan::refused_with_404(const attempt_end& end) const {
  auto const wrong = wrong_base_url(facts_.path, facts_.metered, end.serves_without_v1);
  if (wrong.empty()) return {.next = step::relay};
  return {.next = step::reject, .why = reason::not_found, .explanation = wrong, .uncharged = true};
}

exchange_step exchange_plan::repeat_or(const exchange_step& last, const attempt_end& end) {
  auto const pause = retry_pause({.metered = facts_.metered,
                                  .method = facts_.method,
                                  .repeats = repeats_,
                                  .allowed = facts_.retries,
                                  .certificate = end.certificate,
                                  .sent = end.sent,
                                  .stale = end.stale,
                                  .rested = end.rested,
                                  .status = end.status,
                                  .retry_after = end.retry_after});
  if (!pause) return last;
  if (!end.stale) ++repeats_;
  fresh_ = true;
  return {.next = step::pause, .repeat = !end.stale, .pause = *pause};
}

exchange_step exchange_plan::paused(time_point now) {
  return next_attempt(now);
}

/// With a length of its own, what came of it would look complete.
exchange_step exchange_plan::pass_429(bool whole, std::optional<duration> retry_after) {
  if (whole) return {.next = step::relay};
  return {.next = step::reject,
          .why = reason::upstream_unavailable,
          .retry_after = retry_after.value_or(retry_after_failure)};
}

const char* name_of(attempt_end::what kind) {
  switch (kind) {
    case end_kind::answered:
      return "status";
    case end_kind::no_connection:
      return "connect";
    case end_kind::broken:
      return "broken";
    case end_kind::unacceptable:
      return "protocol";
    case end_kind::timeout:
      return "timeout";
    case end_kind::not_for_it:
    case end_kind::superseded:
    case end_kind::interrupted:
      break;
  }
  return "none";
}

}  // namespace cooldown
