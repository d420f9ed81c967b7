#include "cooldown/net/telemetry.hpp"

#include <utility>

#include "cooldown/net/memory.hpp"

namespace cooldown::net {
namespace {

constexpr std::size_t most_complaints = 64;
// After so long without a request, the allocator's caches are of use to nobody here.
constexpr duration rest_after = std::chrono::seconds{2};

}  // namespace

/// Writes access lines a moment after the first of them.
struct telemetry::log_flusher final : deadline_sweep::entry {
  log_flusher(deadline_sweep& sweep, observe::log& log) : entry(sweep), to(log) {}
  void expired() override {
    armed = false;
    to.flush();
  }
  void arm() {
    if (!std::exchange(armed, true)) set(deadline_sweep::resolution);
  }
  observe::log& to;
  bool armed = false;
};

telemetry::telemetry(asio::io_context& io, deadline_sweep& sweep, observe::log& log_to, scopes_function scopes)
    : log(log_to), scopes_(std::move(scopes)), flusher_(std::make_unique<log_flusher>(sweep, log_to)), sampler_(io) {}

telemetry::~telemetry() = default;

void telemetry::finished(observe::access_record record) {
  stats.record_request(record);
  if (log.access(record)) flusher_->arm();
  auto const now = wall_now();
  if (counted) counted(record, now);
  history.record(std::move(record), now);
  keep_history();
}

void telemetry::keep_history() {
  last_request_ = steady_now();
  stir();
  if (!sampling_ && !stopped_) sample();
}

void telemetry::sample() {
  sampling_ = false;
  auto const now = steady_now();
  history.sample(scopes_(now), now, wall_now());
  if (now - last_request_ > rest_after && stats.requests_in_progress == 0 && !std::exchange(at_rest_, true))
    give_memory_back();
  if (stopped_ || now - last_request_ > observe::history::span) return;
  sampler_.expires_after(observe::history::interval);
  sampler_.async_wait([this](error_code ec) {
    if (!ec) sample();
  });
  sampling_ = true;
}

void telemetry::stop_history() {
  stopped_ = true;
  sampler_.cancel();
  if (when_stopped) when_stopped();
}

void telemetry::complain_once(const std::string& problem) {
  if (problem.empty() || complaints_.size() >= most_complaints || !complaints_.insert(problem).second) return;
  log.warn("rate-limit headers of the provider: " + problem + " (said once)");
}

}  // namespace cooldown::net
