#include "cooldown/net/waiting.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cooldown/exchange/comments.hpp"

namespace cooldown::net {
namespace {

// A wait shorter than this is not worth mentioning.
constexpr duration shortest_wait = std::chrono::milliseconds{1};

// Whoever waits for a circuit breaker asks so often whether another destination has room by now.
constexpr duration between_questions = std::chrono::seconds{1};

}  // namespace

/// Whoever comes (back) to the queue during shutdown is refused like those whom it met there.
void waiting::enter_queue() {
  c_.where = phase::queued;
  if (c_.port.draining) c_.ctl.fire(interruption::draining);
}

time_point waiting::first_comment_of(time_point since) const {
  return first_comment_ ? since + *first_comment_ : time_point::max();
}

std::string waiting::place_in_queue(const destination& at, ticket_id id) {
  auto const now = steady_now();
  auto const standing = at.limiter.standing_of(id, now);
  if (!standing) return ": queued\n\n";
  if (standing->held_by == constraint::paused)
    return fmt::format(": queued, position {} ({})\n\n", standing->position,
                       at.limiter.all_paused() ? "the upstream is paused" : text_of(standing->held_by));
  auto const left = std::max<duration>(std::chrono::seconds{1}, standing->expected - now);
  return fmt::format(": queued, position {}, about {} s ({})\n\n", standing->position, ceil_seconds(left).count(),
                     text_of(standing->held_by));
}

/// Returns when the next one is due.
task<time_point> waiting::comment(const destination& at, ticket_id id) {
  auto const next = steady_now() + comment_interval;
  auto text = place_in_queue(at, id);
  auto const sent = co_await writer_.comment(std::move(text));
  if (!sent) c_.ctl.fire(interruption::client_gone);
  co_return next;
}

task<admission::result> waiting::for_quota(destination& at, ticket_id id, bool in_progress, time_point ask_at) {
  if (!next_comment_) next_comment_ = first_comment_of(steady_now());
  // What goes on at once is no wait.
  if (!in_progress || at.limiter.standing_of(id, steady_now())) enter_queue();
  for (;;) {
    auto woken = co_await at.gate.wait(id, std::min(*next_comment_, ask_at), c_.ctl);
    auto const now = steady_now();
    record_.waited_until(now);
    bool const waits = woken.kind == admission::result::what::still_waiting;
    if (waits && now >= *next_comment_) {
      next_comment_ = co_await comment(at, id);
      continue;
    }
    if (!waits) {
      next_comment_.reset();
      record_.forget_wait();
      c_.where = phase::exchanging;
    }
    co_return woken;
  }
}

task<breaker_answer> waiting::for_breaker(destination& at, ticket_id id, time_point until,
                                          const std::function<bool()>* served_elsewhere) {
  auto const since = steady_now();
  auto next_comment = id != 0 ? first_comment_of(since) : time_point::max();
  breaker_answer answer;
  answer.leaves = served_elsewhere != nullptr && (*served_elsewhere)();
  if (answer.leaves) co_return answer;
  std::optional<observe::held_mark> held;
  if (id != 0 && !at.provider().gate.admits(since)) {
    enter_queue();
    held.emplace(at.held, record_.held_until(std::nullopt));
  }
  bool mentioned = false;
  for (;;) {
    auto const question = served_elsewhere != nullptr ? steady_now() + between_questions : time_point::max();
    auto const next = std::min({until, next_comment, question});
    // Of now, each time: a reload may have named another provider.
    answer.of = at.upstream_of_now();
    answer.passage = co_await answer.of->provider->gate.pass(next, c_.ctl, since);
    auto const now = steady_now();
    if (!mentioned && now - since >= shortest_wait) {
      mentioned = true;
      record_.waits(constraint::circuit_breaker, since, std::nullopt);
    }
    record_.waited_until(now);
    bool const over = answer.passage.got != breaker_gate::answer::no || now >= until || at.retired();
    answer.leaves = !over && served_elsewhere != nullptr && (*served_elsewhere)();
    if (over || answer.leaves) {
      record_.forget_wait();
      c_.where = phase::exchanging;
      co_return answer;
    }
    if (now >= next_comment) next_comment = co_await comment(at, id);
  }
}

task<bool> waiting::pause(destination& at, ticket_id id, duration how_long) {
  std::optional<observe::held_mark> held;
  if (id != 0) held.emplace(at.held, record_.held_until(steady_now() + how_long));
  steady_timer timer(c_.port.io);
  timer.expires_after(how_long);
  {
    interrupt::watching<steady_timer> const watched(c_.ctl, timer);
    if (!c_.ctl.fired()) co_await timer.async_wait(tok);
  }
  co_return !c_.ctl.fired();
}

}  // namespace cooldown::net
