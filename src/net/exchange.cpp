#include "cooldown/net/exchange.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/exchange/comments.hpp"
#include "cooldown/exchange/exchange_plan.hpp"
#include "cooldown/http/body_facts.hpp"
#include "cooldown/http/conversation.hpp"
#include "cooldown/http/error_fields.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/http/model_name.hpp"
#include "cooldown/net/attempt.hpp"
#include "cooldown/net/client_writer.hpp"
#include "cooldown/net/itinerary.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/net/waiting.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown::net {
namespace {

/// A metered request has ended: others may go to a provider that is suspected.
struct room_for_others {
  const destination_ptr& at;
  bool metered;
  ~room_for_others() {
    if (metered) at->bound_in_flight();
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
  exchange(client_connection& c, request& r, upstreams& all, http::body_facts facts)
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

  task<bool> run();

 private:
  task<exchange_step> perform(exchange_step step);
  exchange_step submit();
  exchange_step renew(bool unsent);
  task<exchange_step> wait_for_quota(bool in_progress);
  task<exchange_step> wait_for_breaker();
  task<exchange_step> attempt(bool fresh);
  task<exchange_step> pause(exchange_step step);
  void find_way();
  void goes_to(destination_ptr at);
  exchange_step move(const exchange_step& step);
  std::optional<exchange_step> moved_while_waiting();
  itinerary::choice choose();
  bool may_go_elsewhere();
  void note_key(attempt_end& end);
  std::string_view body_there();
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
  upstreams& all_;
  destination_ptr at_;  // where it waits, or is sent; never null
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
  std::optional<std::string> whole_answer_;   // a 429 that goes to the client
  std::string explanation_;                   // of a rejection
  std::uint64_t body_hash_ = 0;               // 0: not made
  std::string renamed_;                       // the body with the name that the model has at the destination
  std::unique_ptr<itinerary> way_;            // null: there is one destination, or it is not metered
  time_point ask_again_ = time_point::max();  // where to wait
};

ticket_facts exchange::facts_of_ticket() {
  ticket_facts t;
  t.scope = scope_at(*at_, r_, facts_.model);
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
  if (!way_) return t;
  t.max_wait = max_wait_ - (steady_now() - record_.started());
  t.arrived = record_.started();
  t.arrival = r_.id;
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

task<exchange_step> exchange::wait_for_breaker() {
  using answer = breaker_gate::answer;
  if (way_ && !at_->is_usable(steady_now()) && may_go_elsewhere()) co_return plan_.leaves(false);
  if (!way_ && at_->retired()) goes_to(all_.first());
  auto const until = r_.metered ? record_.started() + max_wait_ : steady_now();
  auto const told = co_await waiting_.for_breaker(*at_, ticket(), until);
  auto const& passage = told.passage;
  auto const& provider = told.of->provider;
  auto const now = steady_now();
  if (passage.got == answer::interrupted) co_return interrupted();
  if (way_ && passage.got == answer::no && at_->retired()) co_return plan_.leaves(false);
  if (passage.got == answer::no) co_return plan_.breaker_stayed_open(provider->breaker.retry_at(now) - now);
  to_ = told.of;
  permission_.given({provider, &provider->gate}, passage.with);
  co_return plan_.allowed(passage.got == answer::trial, now);
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

task<exchange_step> exchange::pause(exchange_step step) {
  if (step.repeat) ++seen_.stats.upstream_retries;
  auto const still_here = co_await waiting_.pause(*at_, ticket(), step.pause);
  co_return still_here ? plan_.paused(steady_now()) : interrupted();
}

void exchange::find_way() {
  std::uint64_t prefix = 0;
  if (all_.sticky() && facts_.parsed && r_.coding == http::content_coding::identity)
    if (auto const opening = http::conversation_opening(r_.body.view()); !opening.empty())
      prefix = c_.port.hash_of(std::to_string(r_.key), facts_.model, opening);
  for (auto const& d : all_.all()) seen_.names.see(d->id(), [&] { return d->name(); });
  way_ = std::make_unique<itinerary>(all_, r_, facts_, prefix);
}

void exchange::goes_to(destination_ptr at) {
  at_->bound_in_flight();
  at_ = std::move(at);
  record_.goes_to(at_);
  if (at_->id() != 0 && at_->upstream_of_now()->takes_client_keys())
    seen_.names.see(record_.credential(), [&] { return at_->name() + ", " + seen_.names.of(r_.key); });
  auto const& of = *at_->upstream_of_now()->of;
  plan_.goes_to(of.retries, of.circuit_breaker.failure_threshold > 0);
}

itinerary::choice exchange::choose() {
  auto answer = way_->choose(facts_of_ticket(), at_, ticket(), record_.started(), steady_now());
  ask_again_ = answer.ask_again;
  return answer;
}

/// Whether it is better served at another destination once this one has failed it.
bool exchange::may_go_elsewhere() {
  last_reserve const whole;
  if (!all_.rules().next_on_failure && !at_->retired()) return false;
  auto const answer = way_->choose_without(at_, facts_of_ticket(), record_.started(), steady_now());
  return answer.to != at_ && (answer.serves || at_->retired());
}

/// The destination does not serve the request: another one will.
exchange_step exchange::move(const exchange_step& step) {
  last_reserve const whole;
  permission_.report(verdict_on_provider::none);
  attempt_.drop();
  if (ticket_ && step.unsent) ticket_->not_sent();
  if (ticket_ && step.uncharged) ticket_->settle(0, std::nullopt);
  ticket_.reset();
  way_->failed(at_);
  auto const from = at_;
  goes_to(choose().to);
  seen_.log.debug(fmt::format("request {}: from {} to {}", r_.id, from->name(), at_->name()));
  return submit();
}

/// A waiting ticket may have a shorter wait elsewhere. nullopt: it stays.
std::optional<exchange_step> exchange::moved_while_waiting() {
  ask_again_ = time_point::max();
  if (!way_) return std::nullopt;
  last_reserve const whole;
  auto const now = steady_now();
  if (!at_->limiter.standing_of(ticket(), now)) {  // it has its own backoff, or is released
    ask_again_ = now + std::chrono::seconds{1};
    return std::nullopt;
  }
  auto const answer = choose();
  if (answer.to == at_) return std::nullopt;
  ticket_.reset();
  goes_to(answer.to);
  return submit();
}

/// A key that the provider refuses is set aside, and one that it takes is not any more.
void exchange::note_key(attempt_end& end) {
  constexpr unsigned unauthorized = 401, payment_required = 402;
  if (!way_ || end.kind != attempt_end::what::answered || to_->key.empty()) return;
  if (to_->key != at_->upstream_of_now()->key) return;  // a reload has replaced it
  end.key_refused = end.status == unauthorized || end.status == payment_required;
  if (end.status >= 200 && end.status < 300) at_->accepted();
  if (end.key_refused && at_->set_aside(steady_now()))
    seen_.log.warn(fmt::format("{} refuses its key with status {}: it is set aside, and tried again in 10 minutes",
                               at_->name(), end.status));
}

/// The body for the destination: with the model's name there.
std::string_view exchange::body_there() {
  if (!r_.metered || to_->of->models.empty()) return r_.body.view();
  auto const name = to_->of->name_here(facts_.model);
  if (!name || *name == facts_.model) return r_.body.view();
  auto renamed = http::with_model(r_.body.view(), r_.body.capacity(), *name);
  if (!renamed) return r_.body.view();
  renamed_ = std::move(*renamed);
  return renamed_;
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
  auto seen = at_->limiter.observe(ticket(), a, steady_now(), wall_now());
  seen_.complain_once(seen.header_problem);
  at_->gate.update();
  return seen;
}

task<exchange_step> exchange::ask_about_429() {
  whole_answer_.emplace();
  auto const patience = timeouts_of(*settings_, *to_).idle;
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
    auto const standing = at_->limiter.standing_of(ticket(), now);
    record_.waits(standing ? standing->held_by : record_.line.held_by, now, std::nullopt);
    co_return plan_.queued();
  }
  if (seen.what == verdict::queue_again) {
    ticket_->not_sent();  // it waits again
  } else {
    ticket_->settle(0, std::nullopt);
  }
  bool const spent = seen.what == verdict::pass && !to_->key.empty();
  if (way_ && spent && at_->set_aside(steady_now()))
    seen_.log.warn(
        fmt::format("{} has refused its account with a 429 that no wait mends: it is set aside", at_->name()));
  if (way_ && (spent || seen.what == verdict::refuse) && may_go_elsewhere()) {
    whole_answer_.reset();
    co_return plan_.leaves(true);
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
  if (way_ && step.retry_after) details.retry_after = way_->earliest(facts_of_ticket(), step.retry_after, steady_now());
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
  if (way_ && success) way_->remember(*at_, steady_now());
  auto const idle = timeouts_of(*settings_, *to_).idle;
  if (r_.metered && success) usage.emplace(http::coding_of(attempt_.head().fields));
  auto const end = co_await writer_.relay(attempt_.connection(), attempt_.head(), idle, usage ? &*usage : nullptr);
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
    case what::move:
      co_return move(step);
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
  if (way_) goes_to(choose().to);
  auto const now = steady_now();
  auto const& provider = at_->provider();
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
  exchange x(c, r, to, std::move(facts));
  auto const keep = co_await x.run();
  co_return keep;
}

}  // namespace cooldown::net
