#include "cooldown/net/exchange.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/exchange/comments.hpp"
#include "cooldown/exchange/exchange_plan.hpp"
#include "cooldown/http/body_facts.hpp"
#include "cooldown/http/error_fields.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/net/attempt.hpp"
#include "cooldown/net/client_writer.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/net/waiting.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown::net {
namespace {

/// A metered request has ended: others may go to a provider that is suspected.
struct room_for_others {
  destination& at;
  bool metered;
  ~room_for_others() {
    if (metered) at.bound_in_flight();
  }
};

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

/// For the log, of an answer that did not come whole.
const char* text_of(relay_end end) {
  switch (end) {
    case relay_end::upstream_silent:
      return "broke off: nothing came for timeouts.idle";
    case relay_end::upstream_malformed:
      return "broke off: its chunks are malformed";
    case relay_end::too_large:
      return "is larger than one event may be";
    default:
      return "broke off: its connection ended before it was complete";
  }
}

/// The actor: performs the steps of an exchange_plan. Lives in run_exchange's frame.
class exchange {
 public:
  exchange(client_connection& c, request& r, destination& at, http::body_facts facts)
      : c_(c),
        at_(at),
        seen_(c.port.telemetry),
        r_(r),
        settings_(c.port.settings()),
        facts_(std::move(facts)),
        first_comment_(first_comment(r, facts_, *settings_)),
        limit_(client_limit(r, first_comment_)),
        max_wait_(std::min<duration>(settings_->cerebras.queue.max_wait, limit_.value_or(duration::max()))),
        record_(c, at, r),
        room_{at, r.metered},
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
  }

  task<bool> run();

 private:
  task<exchange_step> perform(exchange_step step);
  exchange_step submit();
  exchange_step renew(bool unsent);
  task<exchange_step> wait_for_quota(bool in_progress);
  task<exchange_step> wait_for_breaker();
  task<exchange_step> attempt(bool fresh);
  task<exchange_step> pause(exchange_step step);
  task<exchange_step> ask_about_429();
  exchange_step interrupted();
  exchange_step rejected(const refused& why);
  observation observe();
  task<bool> end(exchange_step step);
  task<bool> reject(exchange_step step);
  task<bool> relay();
  void settle(http::usage_reader& usage);
  void note_failure(const attempt_result& result);
  void note_verdict(verdict_on_provider verdict, const attempt_result& result);
  ticket_id ticket() const { return ticket_ ? ticket_->id() : 0; }
  ticket_facts facts_of_ticket();
  std::uint64_t body_hash();

  client_connection& c_;
  destination& at_;
  telemetry& seen_;
  request& r_;
  settings_ptr settings_;
  http::body_facts facts_;
  std::optional<duration> first_comment_;  // after so long a wait
  std::optional<duration> limit_;          // of the client's patience
  duration max_wait_;
  exchange_record record_;
  room_for_others room_;
  upstream_ptr to_;  // where the breaker has allowed an attempt
  breaker_permission permission_;
  std::optional<ticket_guard> ticket_;
  upstream_attempt attempt_;
  client_writer writer_;
  waiting waiting_;
  exchange_plan plan_;
  std::optional<std::string> whole_answer_;  // a 429 that goes to the client
  std::string explanation_;                  // of a rejection
  std::uint64_t body_hash_ = 0;              // 0: not made
};

ticket_facts exchange::facts_of_ticket() {
  ticket_facts t;
  t.scope = {r_.credential, facts_.model};
  t.unread = !facts_.parsed;
  t.size = {.input_chars = facts_.input_chars,
            .input_kinds = facts_.input_kinds,
            .images = facts_.images,
            .choices = facts_.choices,
            .max_output_tokens = facts_.max_output_tokens,
            .generates = r_.asks != http::endpoint::embedding};
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
  if (at_.limiter.awaits_returns()) t.body_hash = body_hash();
  return t;
}

/// Made only where it matters: a hash of a large body costs more than all else that is done with the request.
std::uint64_t exchange::body_hash() {
  if (body_hash_ == 0) body_hash_ = c_.port.hash_of(r_.method, r_.target, r_.body.view());
  return body_hash_;
}

exchange_step exchange::submit() {
  last_reserve const whole;
  auto const now = steady_now();
  auto const decided = at_.limiter.submit(facts_of_ticket(), now);
  if (auto const* const no = std::get_if<refused>(&decided)) return rejected(*no);
  if (auto const* const yes = std::get_if<go>(&decided)) {
    ticket_.emplace(at_.gate, yes->id);
    record_.line.cost = at_.limiter.cost_of(yes->id);
    seen_.stats.record_wait(0, constraint::none);
    return plan_.released(now);
  }
  auto const& place = std::get<queued>(decided);
  bool const known = place.held_by != constraint::paused;
  record_.waits(place.held_by, now, known ? std::optional(place.expected) : std::nullopt);
  ticket_.emplace(at_.gate, place.id);
  at_.gate.update();
  return plan_.queued();
}

/// The ticket waits again, and goes as soon as the quota admits it now.
exchange_step exchange::renew(bool unsent) {
  last_reserve const whole;
  permission_.report(verdict_on_provider::none);
  auto const now = steady_now();
  at_.limiter.renew(ticket(), now, !unsent);
  at_.gate.update();
  auto const standing = at_.limiter.standing_of(ticket(), now);
  if (standing) record_.waits(standing->held_by, now, std::nullopt);
  return plan_.queued();
}

task<exchange_step> exchange::wait_for_quota(bool in_progress) {
  using kind = admission::result::what;
  at_.limiter.identify(ticket(), body_hash());
  auto const woken = co_await waiting_.for_quota(at_, ticket(), in_progress);
  record_.line.cost = at_.limiter.cost_of(ticket());
  if (woken.kind == kind::refused) co_return rejected(woken.why);
  if (woken.kind != kind::released) co_return interrupted();
  record_.released();
  co_return plan_.released(steady_now());
}

task<exchange_step> exchange::wait_for_breaker() {
  using answer = breaker_gate::answer;
  auto const until = r_.metered ? record_.started() + max_wait_ : steady_now();
  auto const told = co_await waiting_.for_breaker(at_, ticket(), until);
  auto const& passage = told.passage;
  auto const& provider = told.of->provider;
  auto const now = steady_now();
  if (passage.got == answer::interrupted) co_return interrupted();
  if (passage.got == answer::no) co_return plan_.breaker_stayed_open(provider->breaker.retry_at(now) - now);
  to_ = told.of;
  permission_.given({provider, &provider->gate}, passage.with);
  co_return plan_.allowed(passage.got == answer::trial, now);
}

task<exchange_step> exchange::attempt(bool fresh) {
  auto const result = co_await attempt_.make(at_, to_, r_, *settings_, fresh);
  auto const& end = result.end;
  if (end.sent) {
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

task<exchange_step> exchange::pause(exchange_step step) {
  if (step.repeat) ++seen_.stats.upstream_retries;
  auto const still_here = co_await waiting_.pause(at_, ticket(), step.pause);
  co_return still_here ? plan_.paused(steady_now()) : interrupted();
}

/// What the limiter learns of an answer.
observation exchange::observe() {
  answer a;
  a.status = attempt_.head().status;
  a.headers = attempt_.head().fields;
  http::error_texts texts;
  if (whole_answer_) {
    texts = http::read_error(http::plain_body(*whole_answer_, http::coding_of(a.headers), largest_whole_body));
    a.error = {.message = texts.message, .type = texts.type, .code = texts.code, .wait = texts.wait};
  }
  last_reserve const whole;
  auto seen = at_.limiter.observe(ticket(), a, steady_now(), wall_now());
  seen_.complain_once(seen.header_problem);
  at_.gate.update();
  return seen;
}

task<exchange_step> exchange::ask_about_429() {
  whole_answer_.emplace();
  auto const patience = settings_->cerebras.timeouts.idle;
  auto const whole = co_await read_whole_body(attempt_.connection(), attempt_.head().body, largest_whole_body, patience,
                                              c_.ctl, *whole_answer_);
  if (c_.ctl.why() == interruption::client_gone) co_return interrupted();
  // A provider that trickles its refusals would hold the client for as long as it may wait.
  bool const trickled = c_.ctl.why() == interruption::timeout;
  c_.ctl.reset();
  if (whole) {
    attempt_.finish();
  } else {
    attempt_.drop();
  }
  auto const seen = observe();
  if (seen.what == verdict::queue_again && !trickled) {
    whole_answer_.reset();
    auto const now = steady_now();
    auto const standing = at_.limiter.standing_of(ticket(), now);
    record_.waits(standing ? standing->held_by : record_.line.held_by, now, std::nullopt);
    co_return plan_.queued();
  }
  if (seen.what == verdict::queue_again) {
    ticket_->not_sent();  // it waits again
  } else {
    ticket_->settle(0, std::nullopt);
  }
  if (seen.what == verdict::refuse) co_return rejected(*seen.refusal);
  if (!whole) ++seen_.stats.answers_cut;
  co_return exchange_plan::pass_429(whole, retry_after_of(attempt_.head().fields, wall_now()));
}

/// The client left, or we are shutting down.
exchange_step exchange::interrupted() {
  if (c_.ctl.why() != interruption::draining) return plan_.client_left();
  c_.ctl.reset();
  return plan_.draining();
}

/// What the limiter refuses is over: there is no ticket, or there is none any more.
exchange_step exchange::rejected(const refused& why) {
  record_.line.cost = why.cost;
  if (why.why == reason::request_too_large_for_limit)
    explanation_ = fmt::format("It costs about {:.0f} tokens; the limit is {:.0f} tokens.", why.cost, why.limit);
  if (why.why == reason::queue_timeout) {
    if (!why.retry_after) explanation_ = "The model is paused.";
    if (limit_ && *limit_ <= max_wait_) {
      if (!explanation_.empty()) explanation_ += ' ';
      explanation_ += *limit_ > duration::zero() ? fmt::format("Its client waits at most {}.", delay_in_words(*limit_))
                                                 : "Its client does not wait.";
    }
  }
  return {.next = exchange_step::what::reject, .why = why.why, .retry_after = why.retry_after};
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

task<bool> exchange::reject(exchange_step step) {
  if (step.unsent && ticket_) ticket_->not_sent();
  if (step.uncharged && ticket_) ticket_->settle(0, std::nullopt);
  refusal_details details;
  details.retry_after = step.retry_after;
  details.explanation = step.explanation.empty() ? std::move(explanation_) : std::string(step.explanation);
  auto const keep = co_await writer_.reject(step.why, std::move(details));
  co_return keep;
}

void exchange::settle(http::usage_reader& usage) {
  auto const used = usage.finish();
  if (!used) return;
  auto const total = used->total_tokens > 0 ? used->total_tokens : used->prompt_tokens + used->completion_tokens;
  record_.line.tokens = total;
  seen_.stats.record_estimate(record_.line.cost, static_cast<double>(total));
  seen_.stats.prompt_tokens += used->prompt_tokens;
  seen_.stats.completion_tokens += used->completion_tokens;
  seen_.stats.cached_tokens += used->cached_tokens;
  ticket_->settle(total, used->prompt_tokens, used->cached_tokens);
}

/// Passes the answer on.
task<bool> exchange::relay() {
  if (whole_answer_) {
    auto const kept = co_await writer_.whole(attempt_.head(), std::move(*whole_answer_));
    co_return kept;
  }
  auto const status = attempt_.head().status;
  bool const success = status >= 200 && status < 300;
  r_.sent_for_good();
  if (r_.metered) observe();
  std::optional<http::usage_reader> usage;
  if (r_.metered && success) usage.emplace(http::coding_of(attempt_.head().fields));
  auto const end = co_await writer_.relay(attempt_.connection(), attempt_.head(), usage ? &*usage : nullptr);
  // However it ended: a refused request costs nothing, and a failed one no more than its input.
  if (ticket_ && !success && status < 500) ticket_->settle(0, std::nullopt);
  // If no usage comes, what was relayed tells.
  if (ticket_) ticket_->relayed(usage ? usage->tokens_so_far() : 0);
  if (end == relay_end::complete) {
    if (usage) settle(*usage);
    ticket_.reset();
    attempt_.finish();
    co_return writer_.keeps_connection();
  }
  record_.line.complete = false;
  if (end == relay_end::client_gone) {
    ++seen_.stats.clients_gone;
    co_return false;
  }
  ++seen_.stats.answers_cut;
  seen_.log.warn(fmt::format("request {}: the provider's answer {}", r_.id, text_of(end)));
  // Without a length or a last chunk to miss, only a reset tells the client.
  c_.abort();
  co_return false;
}

task<exchange_step> exchange::perform(exchange_step step) {
  using what = exchange_step::what;
  switch (step.next) {
    case what::submit:
      co_return submit();
    case what::renew:
      co_return renew(step.unsent);
    case what::wait_for_quota:
      step = co_await wait_for_quota(step.in_progress);
      break;
    case what::wait_for_breaker:
      step = co_await wait_for_breaker();
      break;
    case what::attempt:
      step = co_await attempt(step.fresh);
      break;
    case what::pause:
      step = co_await pause(step);
      break;
    case what::ask_about_429:
      step = co_await ask_about_429();
      break;
    case what::relay:
    case what::reject:
    case what::hang_up:
      break;
  }
  co_return step;
}

task<bool> exchange::end(exchange_step step) {
  bool keep = false;
  if (step.next == exchange_step::what::relay) {
    keep = co_await relay();
  } else if (step.next == exchange_step::what::reject) {
    keep = co_await reject(step);
  } else {
    if (step.unsent && ticket_) ticket_->not_sent();
    ++seen_.stats.clients_gone;
  }
  co_return keep;
}

bool is_last(exchange_step::what next) {
  using what = exchange_step::what;
  return next == what::relay || next == what::reject || next == what::hang_up;
}

task<bool> exchange::run() {
  c_.watch.arm();
  c_.where = phase::exchanging;
  auto const now = steady_now();
  auto const& provider = at_.provider();
  bool const admits = !r_.metered || provider.gate.admits(now);
  auto step = plan_.begin(admits, provider.breaker.retry_at(now) - now, now);
  while (!is_last(step.next)) step = co_await perform(step);
  auto const keep = co_await end(step);
  c_.watch.rest();
  co_return keep;
}

}  // namespace

task<bool> run_exchange(client_connection& c, request& r, upstreams& to) {
  http::body_facts facts;
  if (r.metered) facts = http::inspect_body(r.body.view(), r.body.capacity(), r.coding);
  exchange x(c, r, to.first(), std::move(facts));
  auto const keep = co_await x.run();
  co_return keep;
}

}  // namespace cooldown::net
