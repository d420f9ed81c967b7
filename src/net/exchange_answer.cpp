#include <utility>

#include <fmt/format.h>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/http/error_fields.hpp"
#include "cooldown/net/memory.hpp"

#include "exchange_actor.hpp"

namespace cooldown::net {
namespace {

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

}  // namespace

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
  ++record_.line.upstream_refusals;
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
  if (way_ && seen.backs_off_until) way_->backs_off(*at_, *seen.backs_off_until);
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
  bool const ours = !to_->key.empty();
  if (way_ && ours && seen.incurable) set_aside("refuses its account with a 429 that no wait mends");
  bool const may_pass_elsewhere = seen.what == verdict::pass && (ours || !seen.incurable);
  if (way_ && (may_pass_elsewhere || seen.what == verdict::refuse) && may_go_elsewhere()) {
    whole_answer_.reset();
    co_return plan_.leaves(true);
  }
  if (seen.what == verdict::refuse) co_return rejected(*seen.refusal);
  if (!whole) ++seen_.stats.answers_cut;
  co_return exchange_plan::pass_429(whole, retry_after_of(attempt_.head().fields, wall_now()));
}

void exchange::settle(http::usage_reader& usage) {
  auto const used = usage.finish();
  if (!used) return;
  auto const total = used->total_tokens > 0 ? used->total_tokens : used->prompt_tokens + used->completion_tokens;
  record_.line.tokens = total;
  record_.line.prompt_tokens = used->prompt_tokens;
  record_.line.cached_tokens = used->cached_tokens;
  record_.line.completion_tokens = used->completion_tokens;
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

}  // namespace cooldown::net
