#include "cooldown/net/attempt.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/exchange/wrong_base_url.hpp"
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

const config::timeout_settings& timeouts_of(const config::settings& settings, const upstream& to) {
  if (to.is_first()) return settings.cerebras.timeouts;
  auto const* const of = settings_named(settings, to.of->name);
  return of ? of->timeouts : to.of->timeouts;
}

task<attempt_result> upstream_attempt::make(const destination& at, upstream_ptr to, const request& r,
                                            std::string_view body, const config::settings& settings, bool fresh) {
  attempt_result out;
  to_ = std::move(to);
  auto& pool = to_->provider->pool;
  upstream_pool::result got;
  if (!fresh) got = pool.take_idle();
  if (!std::get<upstream_pool::connection_ptr>(got))
    got = co_await pool.acquire(c_.ctl, fresh, to_->of->timeouts.connect);
  auto* const failure = std::get_if<connect_failure>(&got);
  if (failure) out = without_connection(*failure, c_.ctl.why());
  bool const left = out.end.kind == kind::interrupted;
  // Until the head is written, nothing that could change this is waited for.
  bool const superseded = to_ != at.upstream_of_now() || at.retired();
  bool const elsewhere = !superseded && is_for_another_provider(r, *to_);
  if (!failure && (superseded || elsewhere)) pool.give_back(std::move(std::get<upstream_pool::connection_ptr>(got)));
  if (superseded && !left) {
    // Whether the provider of before can be reached is no question any more.
    c_.ctl.reset();
    out = attempt_result();
    out.end.kind = kind::superseded;
    co_return out;
  }
  if (failure) co_return out;
  if (elsewhere) {
    out.end.kind = kind::not_for_it;
    co_return out;
  }
  connection_ = std::move(std::get<upstream_pool::connection_ptr>(got));
  auto const head = upstream_head(r, *to_, c_.port.via, body.size());
  ++c_.port.telemetry.stats.upstream_attempts;
  out.end.sent = true;
  auto const sent_at = steady_now();
  sent_request const sent{head, body, r.method,
                          std::max<std::size_t>(settings.server.max_header_size, least_room_for_head),
                          timeouts_of(settings, *to_).first_byte};
  auto answer = co_await send_and_read_head(*connection_, sent, c_.ctl, head_bytes_, head_);
  c_.ctl.clear();
  took_ = steady_now() - sent_at;
  out.end.kind = kind_of(answer.kind);
  out.message = std::move(answer.message);
  if (out.end.kind == kind::answered) {
    c_.port.telemetry.stats.upstream_seconds.record(seconds_of(took_));
    out.end.status = head_.status;
    out.end.retry_after = retry_after_of(head_.fields, wall_now());
    auto& served = to_->provider->serves_without_v1;
    served = served || shows_service_without_v1(r.path(), r.metered, head_.status);
    out.end.serves_without_v1 = served;
    // It was on its way before the request was: the server had waited for one for too long (RFC 9110 §15.5.9).
    out.end.stale = head_.status == 408 && connection_->reused && !head_.keep_alive;
  } else if (out.end.kind == kind::broken) {
    if (is_local(answer.error)) out.local = answer.error;
    out.end.local = static_cast<bool>(out.local);
    out.end.stale = !out.end.local && connection_->reused && !answer.first_byte;
  }
  if (out.end.stale) out.end.rested = sent_at - connection_->idle_since;
  co_return out;
}

void upstream_attempt::finish() {
  if (head_.keep_alive && !connection_->broken) to_->provider->pool.give_back(std::move(connection_));
  connection_.reset();
}

}  // namespace cooldown::net
