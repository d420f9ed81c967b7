#include "cooldown/schedule/input_estimator.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cooldown {
namespace {

constexpr double overhead_tokens = 8;       // role markers of a chat template
constexpr double enough_observations = 8;   // beyond, what was learned contains some of it
constexpr std::uint64_t enough_chars = 64;  // below, the overhead drowns the ratio
constexpr double quantile = 0.9;
constexpr double learning_rate = 0.05;  // of a ratio, per observation
constexpr double far_off = 1.2;         // beyond so many times the ratio two observations are believed where they agree
constexpr double most_of_it = 0.9;      // an input with such a share of one kind tells that kind's least
constexpr double forgetting = 0.02;     // of a lowest ratio, per observation
constexpr double worth_telling = 0.1;   // of a ratio: what has changed by less changes nobody's turn

struct bounds {
  double low, high;  // of a believable ratio
  double least;      // below any that is believable of a whole text
  bool firm;         // most texts are like the first guess
};
constexpr bounds believable[] = {{0.01, 4, 0.1, true},   // prose
                                 {0.01, 4, 0.1, true},   // code
                                 {0.01, 8, 0.1, false},  // other scripts
                                 {0.01, 4, 0.1, false},  // dense
                                 {1, 20'000, 50, false}};

}  // namespace

std::array<double, input_estimator::part_count> input_estimator::units_of(const request_size& size) {
  auto const& k = size.input_kinds;
  auto const prose = size.input_chars - std::min(size.input_chars, k.code + k.other + k.dense);
  return {static_cast<double>(prose), static_cast<double>(k.code), static_cast<double>(k.other),
          static_cast<double>(k.dense), static_cast<double>(size.images)};
}

double input_estimator::tokens(const request_size& size) const {
  auto const units = units_of(size);
  double sum = observations_ < enough_observations ? overhead_tokens : overhead_tokens / 2;
  for (std::size_t i = 0; i < part_count; ++i) sum += units[i] * parts_[i].ratio;
  return sum;
}

double input_estimator::least(const request_size& size) const {
  auto const units = units_of(size);
  double sum = 0;
  for (std::size_t i = 0; i < part_count; ++i) sum += units[i] * parts_[i].least;
  return sum;
}

bool input_estimator::observe(const request_size& size, std::uint64_t prompt_tokens) {
  if (size.input_chars < enough_chars && size.images == 0) return false;
  auto const units = units_of(size);
  double guess = 0;
  for (std::size_t i = 0; i < part_count; ++i) guess += units[i] * parts_[i].ratio;
  if (!(guess > 0)) return false;
  observations_ += 1;
  // The overhead stays on top: a little too much is a little wait, a little too little a refusal.
  // One more for what was rounded down: of a short prompt it would make much too little of a long one.
  double const off = static_cast<double>(prompt_tokens + 1) / guess;
  auto const before = parts_;
  for (std::size_t i = 0; i < part_count; ++i) {
    if (units[i] <= 0) continue;
    auto const& b = believable[i];
    // Nobody tells which part was misjudged: each answers for its share.
    move(i, std::clamp(before[i].ratio * off, b.low, b.high), units[i] * before[i].ratio / guess);
  }
  auto const differs = [](const part& p) { return std::abs(p.ratio - p.told) >= worth_telling * p.told; };
  if (std::none_of(parts_.begin(), parts_.end(), differs)) return false;
  for (auto& p : parts_) p.told = p.ratio;
  return true;
}

void input_estimator::move(std::size_t i, double target, double share) {
  auto& p = parts_[i];
  if (share >= most_of_it) {
    p.least += forgetting * (believable[i].least - p.least);
    p.least = std::min(p.least, target);
  }
  bool const first_guess = p.seen < 1 && !believable[i].firm;
  p.seen += share;
  // One that is far off may be an error of whoever counted: only what the next one like it says, too, is believed.
  double const agreed = first_guess ? target : std::min(target, std::exchange(p.doubted, target));
  if (first_guess || agreed > p.ratio * far_off) {
    p.ratio += share * (agreed - p.ratio);
    return;
  }
  // Stochastic approximation of a quantile: nine steps down weigh as much as one up. Never beyond what was seen, so
  // that a constant ratio is found exactly.
  double const direction = target > p.ratio ? quantile : quantile - 1;
  double const next = p.ratio * (1 + share * direction * std::max(learning_rate, 1 / std::max(1.0, p.seen)));
  p.ratio = direction > 0 ? std::min({next, target, p.ratio * far_off}) : std::max(next, target);
}

}  // namespace cooldown
