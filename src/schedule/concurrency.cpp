#include "cooldown/schedule/concurrency.hpp"

#include <algorithm>
#include <cmath>

#include "slow_average.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

// Outcomes that are weighed: a few dozen tell a limit from bad luck, and soon notice that it has changed.
constexpr std::size_t most_outcomes = 64;

// Of these at least so many of either kind are kept, where one is rare.
constexpr std::ptrdiff_t least_of_a_kind = 8;

// The logarithm of how much likelier outcomes must be with a limit than without: by chance, where a fifth of the
// requests is refused, once in many thousands.
constexpr double least_evidence = 10;

// Where fewer are refused, more than the limit pays.
constexpr double least_share = 0.25;

// Within a limit a share of requests may be refused by bad luck, taken for at least this; one outcome moves it by so
// much.
constexpr double least_luck = 0.2;
constexpr double luck_rate = 1.0 / 64;

// How much likelier a limit than bad luck has to be where a step is tried, which can soon be tried again.
constexpr double step_evidence = 1.4;

// After how long without a refusal a limit is forgotten; more is tried twice as often, so that one that still holds is
// not.
constexpr duration memory = 10min;
constexpr duration longest_wait = memory / 2;

// Steps that fail make the next wait for up to 64 times as many successes.
constexpr unsigned most_failed_steps = 6;

// One answer moves the average of their times by so much, and a refusal that of theirs.
constexpr int time_part = 8;

// Refusals vary by how long they take to arrive, and travel times by how many are under way.
constexpr int quiet_factor = 4;
constexpr duration least_quiet = 50ms;

double log_likelihood(double refused, double admitted) {
  double const n = refused + admitted;
  auto const term = [n](double k) { return k > 0 ? k * std::log(k / n) : 0; };
  return term(refused) + term(admitted);
}

}  // namespace

std::ptrdiff_t concurrency::count_refused(const std::vector<outcome>& of) {
  return std::count_if(of.begin(), of.end(), [](const outcome& each) { return each.refused; });
}

bool concurrency::forgotten(time_point now) const {
  return now - refused_at_ > memory;
}

std::optional<std::size_t> concurrency::limit(time_point now) const {
  if (limit_ == 0 || forgotten(now)) return std::nullopt;
  return limit_;
}

void concurrency::record(outcome o, time_point now) {
  if (now - recorded_at_ > memory) outcomes_.clear();
  recorded_at_ = now;
  if (outcomes_.size() == most_outcomes) make_room();
  outcomes_.push_back(o);
  least_refused_ = refused_in_a_row_ == 0 ? o.among : std::min(least_refused_, o.among);
  refused_in_a_row_ = o.refused ? refused_in_a_row_ + 1 : 0;
  if (limit_ > 0 && o.among <= proven_) luck_ += luck_rate * ((o.refused ? 1 : 0) - luck_);
}

void concurrency::make_room() {
  auto const refused = count_refused(outcomes_);
  auto const admitted = static_cast<std::ptrdiff_t>(outcomes_.size()) - refused;
  outcomes_.erase(std::find_if(outcomes_.begin(), outcomes_.end(), [&](const outcome& each) {
    return (each.refused ? refused : admitted) > least_of_a_kind;
  }));
}

/// The split of the outcomes, by how many were in flight, that explains them best, if it does so well enough.
std::optional<std::size_t> concurrency::limit_by_outcomes() const {
  auto sorted = outcomes_;
  std::sort(sorted.begin(), sorted.end(), [](const outcome& a, const outcome& b) { return a.among > b.among; });
  auto const refused = static_cast<double>(count_refused(sorted));
  double const admitted = static_cast<double>(sorted.size()) - refused;
  double const without = log_likelihood(refused, admitted);
  double best = least_evidence;
  std::optional<std::size_t> found;
  double refused_above = 0;
  double admitted_above = 0;
  for (std::size_t i = 0; i + 1 < sorted.size(); ++i) {
    (sorted[i].refused ? refused_above : admitted_above) += 1;
    if (sorted[i].among == sorted[i + 1].among || refused_above < least_share * (refused_above + admitted_above))
      continue;
    double const refused_below = refused - refused_above;
    double const admitted_below = admitted - admitted_above;
    // Where fewer in flight are refused as often, it is not their number.
    if (refused_above * admitted_below <= refused_below * admitted_above) continue;
    double const evidence =
        log_likelihood(refused_above, admitted_above) + log_likelihood(refused_below, admitted_below) - without;
    if (evidence < best) continue;
    best = evidence;
    found = sorted[i].among - 1;
  }
  return found;
}

/// Could so many refusals of what was sent be bad luck?
bool concurrency::by_luck(std::size_t refused, std::size_t sent, double evidence) const {
  double const luck = std::max(luck_, least_luck);
  auto const k = static_cast<double>(refused);
  auto const n = static_cast<double>(std::max(refused, sent));
  return k <= luck * n || log_likelihood(k, n - k) - k * std::log(luck) - (n - k) * std::log(1 - luck) < evidence;
}

void concurrency::on_release(std::size_t among) {
  if (limit_ > proven_ && among > proven_) ++tried_;
}

void concurrency::on_success(std::size_t among, time_point sent, time_point now) {
  record({among, false}, now);
  if (!limit(now) || sent < changed_at_) return;
  if (among > proven_) {
    if (among == limit_) {
      failed_steps_ = 0;
      step_ = std::min(2 * step_, limit_);
    }
    proven_ = among;
  }
  if (among < limit_) return;
  ++full_;
  auto const enough = static_cast<double>(limit_) * (1U << failed_steps_);
  if (full_ >= enough || now - changed_at_ >= longest_wait) try_more(now);
}

void concurrency::try_more(time_point now) {
  proven_ = limit_;
  limit_ += step_;
  full_ = 0;
  tried_ = refused_ = 0;
  changed_at_ = now;
}

void concurrency::lower_to(std::size_t limit, time_point now) {
  limit_ = proven_ = std::max<std::size_t>(1, limit);
  step_ = 1;
  full_ = 0;
  changed_at_ = now;
}

void concurrency::on_refusal(std::size_t among, time_point sent, time_point now) {
  average(refusal_time_, now - sent, time_part);
  if (forgotten(now)) {
    limit_ = 0;
    failed_steps_ = 0;
  }
  refused_at_ = now;
  record({among, true}, now);
  if (limit_ > proven_ && among > proven_) {
    if (by_luck(++refused_, tried_, step_evidence)) return;
    failed_steps_ = std::min(failed_steps_ + 1, most_failed_steps);
    lower_to(proven_, now);
    return;
  }
  auto learned = limit_by_outcomes();
  if (limit_ > 0 && !by_luck(refused_in_a_row_, 0, least_evidence)) learned = least_refused_ - 1;
  if (!learned || (limit_ > 0 && *learned >= limit_)) return;
  if (limit_ == 0) luck_ = 0;
  lower_to(*learned, now);
}

void concurrency::on_told(std::size_t limit, time_point now) {
  if (this->limit(now).value_or(limit + 1) <= limit) return;
  refused_at_ = now;
  failed_steps_ = most_failed_steps;
  lower_to(limit, now);
}

void concurrency::on_end(duration took) {
  average(answer_time_, took, time_part);
}

duration concurrency::quiet_time() const {
  return std::max(least_quiet, quiet_factor * refusal_time_);
}

time_point concurrency::forecast(std::size_t in_flight, double ahead, time_point now) const {
  auto const known = limit(now);
  if (!known) return now;
  auto const most = static_cast<double>(*known);
  double const ends = static_cast<double>(in_flight) + ahead + 1 - most;
  if (ends <= 0) return now;
  return now + duration_of_seconds(seconds_of(answer_time_) * std::ceil(ends) / most);
}

}  // namespace cooldown
