#include "cooldown/limit/refill_evidence.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

constexpr unsigned fewest_samples = 3;
constexpr double fewest_counted = 2.5;
constexpr double much_clearer = 10;  // in variance, against the harmonic mean of what there is
constexpr double cost_error = 0.1;   // how far costs are believed to be misjudged, in shares: a prior

}  // namespace

void refill_evidence::add(double spent, double remaining, time_point at, double doubt) {
  // What a crowd of requests told is not worth keeping once a single one tells.
  if (samples_ > 0 && doubt * doubt * much_clearer < seen_ / weight_) clear();
  if (samples_ == 0) {
    origin_ = at;
    last_ = at;
  }
  double const t = seconds_of(at - origin_);
  double const z = remaining + spent;
  if (at > last_) {
    double const decay = std::exp(-seconds_of(at - last_) / seconds_of(memory_));
    squares_ *= decay * decay;
    for (auto* sum : {&weight_, &seen_, &tt_, &ss_, &zz_, &ts_, &tz_, &sz_}) *sum *= decay;
    last_ = at;
  }
  double const w = 1 / (doubt * doubt);
  ++samples_;
  seen_ += 1;
  weight_ += w;
  squares_ += w * w;
  // Welford's update, weighted, for three variables at once.
  double const dt = t - mean_t_, ds = spent - mean_s_, dz = z - mean_z_;
  mean_t_ += dt * w / weight_;
  mean_s_ += ds * w / weight_;
  mean_z_ += dz * w / weight_;
  double const keep = w * (1 - w / weight_);
  tt_ += keep * dt * dt;
  ss_ += keep * ds * ds;
  zz_ += keep * dz * dz;
  ts_ += keep * dt * ds;
  tz_ += keep * dt * dz;
  sz_ += keep * ds * dz;
}

std::optional<refill_evidence::estimate> refill_evidence::rate() const {
  if (samples_ < fewest_samples) return std::nullopt;
  double const count = weight_ * weight_ / squares_;  // Kish's effective sample size
  if (count < fewest_counted) return std::nullopt;
  // The weights are inverse variances, and so is the prior that costs are about right.
  double const ss = ss_ + 1 / (cost_error * cost_error);
  double const determinant = tt_ * ss - ts_ * ts_;
  if (determinant <= 1e-9 * tt_ * ss) return std::nullopt;
  double const r = (tz_ * ss - sz_ * ts_) / determinant;
  double const e = (sz_ * tt_ - tz_ * ts_) / determinant;
  double const left = zz_ - r * tz_ - e * sz_;
  // Worse than was doubted: then the doubts were too small, all of them.
  double const excess = std::max(1.0, left / std::max(0.5, count - 2));
  return estimate{r, std::sqrt(excess * ss / determinant)};
}

}  // namespace cooldown
