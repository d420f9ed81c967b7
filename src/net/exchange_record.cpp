#include "cooldown/net/exchange_record.hpp"

#include <algorithm>
#include <utility>

#include <fmt/compile.h>
#include <fmt/format.h>

#include "cooldown/http/fields.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/net/reply.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown::net {

exchange_record::exchange_record(client_connection& c, destination_ptr at, const request& r)
    : c_(c), at_(std::move(at)), metered_(r.metered), key_(r.key) {
  line.id = r.id;
  line.client = c.peer;
  line.method = r.method;
  line.target = r.path();
  ++c.port.telemetry.stats.requests_in_progress;
}

exchange_record::~exchange_record() {
  last_reserve const whole;
  --c_.port.telemetry.stats.requests_in_progress;
  line.total = seconds_of(steady_now() - started_);
  line.gone = line.status == 0 || c_.ctl.why() == interruption::client_gone;
  c_.port.telemetry.finished(std::move(line));
}

void exchange_record::waits(constraint reason, time_point since, std::optional<time_point> expected) {
  wait_since_ = since;
  waited_before_ = waited_;
  line.held_by = reason;
  if (expected && !forecast_) forecast_ = std::max(duration::zero(), *expected - since);
}

void exchange_record::waited_until(time_point now) {
  if (wait_since_) waited_ = waited_before_ + (now - *wait_since_);
  line.waited = seconds_of(waited_);
}

void exchange_record::released() {
  auto& stats = c_.port.telemetry.stats;
  auto const added = waited_ - std::exchange(recorded_, waited_);
  if (added > duration::zero() || !std::exchange(released_before_, true))
    stats.record_wait(seconds_of(added), line.held_by);
  if (forecast_ && !std::exchange(forecast_judged_, true))
    stats.record_forecast(seconds_of(*forecast_), seconds_of(waited_));
}

void exchange_record::append_fields(std::string& out) const {
  auto const now = steady_now();
  auto& limiter = at_->limiter;
  auto const scope = at_->upstream_of_now()->of->name_here(line.model).value_or(line.model);
  append_status_fields(out, *at_, metered_ ? limiter.status({credential(), scope}, now) : limiter.latest_status(now));
  if (!line.to.empty()) http::append_field(out, "X-Upstream", line.to);
  if (waited_ > duration::zero()) {
    http::append_field(out, "X-RateLimit-Delay", decimal_seconds(waited_));
    if (forecast_) http::append_field(out, "X-RateLimit-Delay-Forecast", decimal_seconds(*forecast_));
    if (line.held_by != constraint::none) http::append_field(out, "X-RateLimit-Delay-Reason", name_of(line.held_by));
  }
  auto const tenths = [](duration d) { return std::max<duration::rep>(0, d / std::chrono::microseconds{100}); };
  auto const queued = tenths(waited_);
  auto const upstream = tenths(upstream_time);
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("Server-Timing: queue;dur={}.{}, upstream;dur={}.{}\r\n"),
                 queued / 10, queued % 10, upstream / 10, upstream % 10);
}

}  // namespace cooldown::net
