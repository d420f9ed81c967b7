#include "cooldown/net/attempt.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/net/sending.hpp"
#include "cooldown/net/upstream_head.hpp"

namespace cooldown::net {
namespace {

using kind = attempt_end::what;

constexpr std::size_t least_room_for_head = 64 * 1024;

/// `why` is of the interrupt.
attempt_result without_connection(connect_failure& failure, interruption why) {
  attempt_result out;
  bool const left = failure.interrupted && why != interruption::timeout;
  out.end.kind = left ? kind::interrupted : kind::no_connection;
  out.end.certificate = failure.certificate;
  out.end.local = static_cast<bool>(failure.local);
  out.local = failure.local;
  out.message = std::move(failure.message);
  return out;
}

kind kind_of(head_result::what what) {
  switch (what) {
    case head_result::what::ok:
      return kind::answered;
    case head_result::what::broken:
      return kind::broken;
    case head_result::what::unacceptable:
      return kind::unacceptable;
    case head_result::what::timeout:
      return kind::timeout;
    case head_result::what::interrupted:
      return kind::interrupted;
  }
  return kind::broken;
}

}  // namespace

task<attempt_result> upstream_attempt::make(const request& r, const config::settings& settings, bool fresh) {
  attempt_result out;
  auto got = co_await c_.shared.pool.acquire(c_.ctl, fresh);
  if (auto* const failure = std::get_if<connect_failure>(&got)) {
    out = without_connection(*failure, c_.ctl.why());
    co_return out;
  }
  connection_ = std::move(std::get<upstream_pool::connection_ptr>(got));
  // The connection is one of the settings of now; until the head is written, nothing that could change them is waited
  // for.
  auto const present = c_.shared.settings();
  if (is_for_another_provider(r, *present)) {
    c_.shared.pool.give_back(std::move(connection_));
    out.end.kind = kind::not_for_it;
    co_return out;
  }
  auto const head = upstream_head(r, *present, c_.shared.via);
  ++c_.shared.stats.upstream_attempts;
  out.end.sent = true;
  auto const sent_at = steady_now();
  sent_request const sent{head, r.body.view(), r.method,
                          std::max<std::size_t>(settings.server.max_header_size, least_room_for_head),
                          settings.cerebras.timeouts.first_byte};
  auto answer = co_await send_and_read_head(*connection_, sent, c_.ctl, head_bytes_, head_);
  c_.ctl.clear();
  took_ = steady_now() - sent_at;
  out.end.kind = kind_of(answer.kind);
  out.message = std::move(answer.message);
  if (out.end.kind == kind::answered) {
    c_.shared.stats.upstream_seconds.record(seconds_of(took_));
    out.end.status = head_.status;
    out.end.retry_after = retry_after_of(head_.fields, wall_now());
  } else if (out.end.kind == kind::broken) {
    if (is_local(answer.error)) out.local = answer.error;
    out.end.local = static_cast<bool>(out.local);
    out.end.stale = !out.end.local && connection_->reused && !answer.first_byte;
    if (out.end.stale) out.end.rested = sent_at - connection_->idle_since;
  }
  co_return out;
}

void upstream_attempt::finish() {
  if (head_.keep_alive && !connection_->broken) c_.shared.pool.give_back(std::move(connection_));
  connection_.reset();
}

}  // namespace cooldown::net
