#include "cooldown/sim/generation.hpp"

#include <algorithm>
#include <cmath>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cooldown::sim {
namespace {

constexpr double max_chunks_per_second = 250;
constexpr std::int64_t unpaced_chunk_tokens = 10;
constexpr nanoseconds watch_interval = std::chrono::milliseconds{50};

nanoseconds from_seconds(double s) {
  return nanoseconds{static_cast<nanoseconds::rep>(s * 1e9)};
}

// When which token is there.
class pace {
 public:
  pace(const simulation& world, const generation_plan& plan) : speed_(plan.speed), first_(world.now()) {
    first_ += world.options().ttft + plan.late + std::chrono::milliseconds{plan.faults.argument(fault_kind::delay)};
  }
  nanoseconds first() const { return first_; }
  nanoseconds at(std::int64_t tokens) const {
    return speed_ > 0 ? first_ + from_seconds(static_cast<double>(tokens) / speed_) : first_;
  }
  std::int64_t generated(nanoseconds now, std::int64_t all) const {
    if (now < first_) return 0;
    if (speed_ <= 0) return all;
    const double count = std::chrono::duration<double>(now - first_).count() * speed_;
    return count >= static_cast<double>(all) ? all : static_cast<std::int64_t>(count);
  }
  std::int64_t chunk_tokens() const {
    if (speed_ <= 0) return unpaced_chunk_tokens;
    return std::max<std::int64_t>(1, std::llround(std::ceil(speed_ / max_chunks_per_second)));
  }

 private:
  double speed_;
  nanoseconds first_;
};

std::string framed(const std::string& data, bool chunked) {
  if (!chunked) return data;
  constexpr const char* digits = "0123456789abcdef";
  std::string size;
  for (auto rest = data.size(); rest > 0; rest /= 16) size.insert(size.begin(), digits[rest % 16]);
  return size + "\r\n" + data + "\r\n";
}

api_error stream_fault() {
  return {"Encountered a server error, please try again.", "server_error", "", "internal_server_error"};
}

next_step after(const generation_plan& plan) {
  return plan.keep_alive ? next_step::keep : next_step::close;
}

// Whether this fault ends the stream after `chunks` pieces; at the latest where the stream would end anyway.
bool is_due(const fault_plan& faults, fault_kind kind, int chunks, bool at_end) {
  return faults.has(kind) && (at_end || chunks >= faults.argument(kind));
}

asio::awaitable<next_step> send_whole(connection& client, simulation& world, open_admission& open,
                                      const generation_plan& plan, const pace& timing) {
  const auto all = plan.reply.usage.output;
  const bool stayed = co_await wait_until(client, world, timing.at(all));
  open.generated(timing.generated(world.now(), all));
  if (!stayed) co_return next_step::drop;
  open.generated(all);
  auto body = reply_body(plan.reply);
  const bool bad_chunk = plan.faults.has(fault_kind::bad_chunk);
  const auto length = bad_chunk ? -1 : static_cast<std::int64_t>(body.size());
  auto bytes = response_head(200, "application/json", length, bad_chunk, plan.keep_alive, plan.headers);
  if (bad_chunk) body = framed(body, true) + "zz\r\n";
  const bool cut = plan.faults.has(fault_kind::reset_mid_stream) || plan.faults.has(fault_kind::close_mid_body);
  bytes.append(body, 0, cut ? body.size() / 2 : body.size());
  const bool sent = co_await client.write(bytes);
  if (!sent) co_return next_step::drop;
  open.finish();
  if (plan.faults.has(fault_kind::reset_mid_stream)) client.reset();
  if (bad_chunk || cut) co_return next_step::close;
  co_return after(plan);
}

asio::awaitable<next_step> send_stream(connection& client, simulation& world, open_admission& open,
                                       const generation_plan& plan, const pace& timing) {
  const bool stayed = co_await wait_until(client, world, timing.first());
  if (!stayed) co_return next_step::drop;
  const bool chunked = !plan.is_http_1_0;
  auto bytes = response_head(200, "text/event-stream; charset=utf-8", -1, chunked, plan.keep_alive, plan.headers);
  if (plan.reply.kind == endpoint::chat) bytes += framed(role_event(plan.reply), chunked);
  const bool head_sent = co_await client.write(bytes);
  if (!head_sent) co_return next_step::drop;

  const auto all = plan.reply.usage.output;
  const auto& faults = plan.faults;
  std::int64_t done = 0;
  for (int chunks = 0;; ++chunks) {
    const bool at_end = done >= all;
    if (is_due(faults, fault_kind::in_stream_error, chunks, at_end)) {
      bytes = framed(error_event(stream_fault(), 500), chunked) + (chunked ? "0\r\n\r\n" : "");
      const bool error_sent = co_await client.write(bytes);
      open.finish();
      co_return error_sent ? after(plan) : next_step::drop;
    }
    const bool resets = is_due(faults, fault_kind::reset_mid_stream, chunks, at_end);
    const bool garbles = is_due(faults, fault_kind::bad_chunk, chunks, at_end);
    if (resets || garbles || is_due(faults, fault_kind::close_mid_body, chunks, at_end)) {
      bytes = "zz\r\n";
      if (garbles) co_await client.write(bytes);
      if (resets) client.reset();
      open.finish();
      co_return next_step::close;
    }
    if (at_end) break;
    const auto count = std::min(timing.chunk_tokens(), all - done);
    const bool still_there = co_await wait_until(client, world, timing.at(done + count));
    if (!still_there) co_return next_step::drop;
    bytes = framed(content_event(plan.reply, done, count), chunked);
    const bool sent = co_await client.write(bytes);
    if (!sent) co_return next_step::drop;
    done += count;
    open.generated(done);
  }
  bytes = framed(final_event(plan.reply), chunked) + framed(std::string(done_event), chunked);
  if (chunked) bytes += "0\r\n\r\n";
  const bool end_sent = co_await client.write(bytes);
  if (!end_sent) co_return next_step::drop;
  open.finish();
  co_return after(plan);
}

}  // namespace

open_admission::open_admission(simulation& world, model_quota& quota, const reservation& held, const token_usage& input)
    : world_(world), quota_(quota), held_(held), used_(input) {
  ++world_.traffic().in_flight;
}

open_admission::~open_admission() {
  quota_.settle(held_, used_, world_.advance());
  --world_.traffic().in_flight;
  if (!finished_) ++world_.traffic().aborted;
}

asio::awaitable<next_step> generate(connection& client, simulation& world, open_admission& open,
                                    const generation_plan& plan) {
  const pace timing{world, plan};
  if (plan.stream) co_return co_await send_stream(client, world, open, plan, timing);
  co_return co_await send_whole(client, world, open, plan, timing);
}

asio::awaitable<bool> wait_until(connection& client, const simulation& world, nanoseconds time) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer{executor};
  for (auto now = world.now(); now < time; now = world.now()) {
    timer.expires_after(std::min(time - now, watch_interval));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (client.peer_gone()) co_return false;
  }
  co_return true;
}

}  // namespace cooldown::sim
