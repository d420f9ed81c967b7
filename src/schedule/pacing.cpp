#include "cooldown/schedule/pacing.hpp"

#include <algorithm>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

// Quota and bursts: the model knows better when to come again, so this only bounds its errors.
constexpr duration quota_step = 500ms;
// Want of capacity: nothing else tells. While others get through, the first refusal may be bad luck, and waits about as
// long as a short answer takes.
constexpr duration unlucky_step = 100ms;
constexpr duration capacity_step = 1s;
// 32 s are the longest that it takes to notice that a provider serves again.
constexpr unsigned most_doublings = 6;
constexpr unsigned most_capacity_doublings = 5;

// After a refusal, how long a probe may stay unanswered before the next one goes: a refusal comes faster than an
// answer.
constexpr duration probe_spacing = 500ms;

// So many rounds of capacity refusals without a success are no chance any more.
constexpr unsigned chance_rounds = 2;

// Releases that a limit per second spaces out are tried closer again so slowly; closer than it allows, they are spaced
// out by steps that overshoot little. One a second needs more than a second between two: travel times differ.
constexpr duration spacing_memory = 10min;
constexpr double closer = 0.93;
constexpr double farther = 1.06;
constexpr double travel = 1.05;
constexpr duration most_spacing = 2s;

constexpr duration longest_silence = 24h;

}  // namespace

duration backoff(duration step, unsigned n, std::uint64_t salt) {
  auto const d = step * (1U << std::min(n > 0 ? n - 1 : 0, most_doublings));
  return d + d / 4 * static_cast<duration::rep>(salt * 2'654'435'761U % 1024) / 1024;
}

void pacing::on_release(time_point now) {
  second_.record(1, now);
  last_release_ = now;
  if (spacing_ == duration::zero() || now - last_burst_ <= spacing_memory) return;
  spacing_ = spacing_ > 1ms ? duration_of_seconds(closer * seconds_of(spacing_)) : duration::zero();
  last_burst_ = now - spacing_memory * 9 / 10;
}

void pacing::not_sent(time_point at, time_point before, time_point now) {
  second_.give_back(1, at, now);
  if (last_release_ == at) last_release_ = before;
}

void pacing::on_success(time_point sent) {
  refused_probes_ = 0;
  capacity_rounds_ = 0;  // of a provider that is busy every answer says that it no longer is
  capacity_until_ = {};
  round_until_ = {};
  capacity_word_ = {};
  if (sent >= last_refusal_) {
    rounds_ = 0;
    cautious_ = false;
  }
  if (sent >= hold_set_) hold_until_ = {};
}

void pacing::on_end(time_point now) {
  capacity_until_ = std::min(capacity_until_, now);
  capacity_word_ = {};
}

void pacing::back_off(const attempt& refused, time_point now) {
  if (refused.probe) ++refused_probes_;
  if (refused.sent >= last_refusal_) {
    ++rounds_;
    last_refusal_ = now;
  }
  backed_off_until_ = std::max(backed_off_until_, now + backoff(quota_step, rounds_, refused.salt));
}

unsigned pacing::on_refusal(const attempt& refused, time_point now) {
  back_off(refused, now);
  cautious_ = true;
  return rounds_;
}

void pacing::on_burst(const attempt& refused, std::optional<duration> told, time_point now) {
  back_off(refused, now);
  space_out(refused.sent, now);
  if (rounds_ > trusted_rounds) hold(told.value_or(most_spacing), longest_silence, now);
}

/// What was admitted within the last second is about what it allows.
void pacing::space_out(time_point sent, time_point now) {
  second_.give_back(1, sent, now);
  if (last_burst_ != time_point{} && sent < last_burst_) return;  // of the same burst
  last_burst_ = now;
  double const allowed = 1 / std::max(1.0, second_.used(now));
  auto const wider = duration_of_seconds(std::max(farther * seconds_of(spacing_), travel * allowed));
  spacing_ = std::min(wider, most_spacing);
}

time_point pacing::on_no_capacity(const attempt& refused, unsigned times, std::optional<duration> told,
                                  time_point now) {
  if (refused.probe) ++refused_probes_;
  bool const unlucky = times <= 1 && capacity_rounds_ == 0;
  if (refused.sent >= round_until_) {
    ++capacity_rounds_;
    auto const rounds = std::min(capacity_rounds_, most_capacity_doublings + 1);
    capacity_until_ = round_until_ = now + backoff(capacity_step, rounds, refused.salt);
  }
  if (told) capacity_word_ = std::max(capacity_word_, now + std::min(*told, silence()));
  if (unlucky) return now + backoff(unlucky_step, 1, refused.salt);
  return now + backoff(capacity_step, std::min(times, most_capacity_doublings + 1), refused.salt);
}

bool pacing::nothing_gets_through() const {
  return capacity_rounds_ > chance_rounds;
}

void pacing::hold(std::optional<duration> told, duration most, time_point now) {
  auto const pause = std::min(told.value_or(backoff(quota_step, rounds_ + 1, 0)), most);
  hold_until_ = std::max(hold_until_, now + pause);
  hold_set_ = now;
  cautious_ = true;
}

readiness pacing::ready(bool unanswered, bool passed, time_point now) const {
  readiness r{.at = now};
  r.wait_for(hold_until_, constraint::provider_pause);
  r.wait_for(backed_off_until_, constraint::recovery);
  if (nothing_gets_through()) r.wait_for(std::max(capacity_until_, capacity_word_), constraint::capacity);
  auto const last = passed ? now : last_release_;
  bool const one_at_a_time = cautious_ || nothing_gets_through();
  if (one_at_a_time && (passed || unanswered)) r.wait_for(last + probe_spacing, constraint::recovery);
  if (spacing_ > duration::zero()) r.wait_for(last + spacing_, constraint::spacing);
  return r;
}

duration pacing::silence() const {
  return std::min<duration>(snapshot_lifetime * (1U << std::min(refused_probes_, 9U)), longest_silence);
}

time_point pacing::probe_at() const {
  return std::max({last_release_, last_refusal_, last_heard_}) + silence();
}

time_point pacing::opens_at(time_point now) const {
  auto at = std::max(now, backed_off_until_);
  // A long pause is asked about before it ends.
  if (hold_until_ > at) at = std::max(at, std::min(hold_until_, probe_at()));
  if (nothing_gets_through()) at = std::max({at, capacity_until_, std::min(capacity_word_, probe_at())});
  return at;
}

}  // namespace cooldown
