#include "cooldown/sim/meter.hpp"

#include <algorithm>

namespace cooldown::sim {
namespace {

// Amounts are kept multiplied by the window's length in ns, so that one nanosecond refills exactly `limit` units.
// A limit of 1e12 per day is 1e26 units: too many for 64 bits.
__extension__ typedef __int128 units;

units ceil_div(units dividend, units divisor) {
  return (dividend + divisor - 1) / divisor;
}

nanoseconds to_time(units ns) {
  return nanoseconds{static_cast<nanoseconds::rep>(ns)};
}

std::int64_t to_amount(units value, units per_unit) {
  return value <= 0 ? 0 : static_cast<std::int64_t>(value / per_unit);
}

class bucket_meter final : public meter {
 public:
  bucket_meter(std::int64_t limit, nanoseconds window, std::int64_t foreign)
      : window_(window.count()), limit_(limit), foreign_(foreign), level_(units{limit} * window.count()) {}

  std::int64_t limit() const override { return limit_; }

  std::optional<nanoseconds> ready_at(std::int64_t amount, nanoseconds from) const override {
    if (amount > limit_) return std::nullopt;
    const units missing = units{amount} * window_ - level_at(from);
    if (missing <= 0) return std::max(from, time_);
    if (limit_ <= foreign_) return std::nullopt;
    return std::max(from, time_) + to_time(ceil_div(missing, units{limit_ - foreign_}));
  }

  void charge(std::int64_t amount, const charge_stamp& stamp) override {
    advance(stamp.at);
    level_ -= units{amount} * window_;
  }

  void correct(std::int64_t difference, const charge_stamp& /*stamp*/, nanoseconds now) override {
    advance(now);
    level_ = std::min(level_ - units{difference} * window_, full());
  }

  std::int64_t remaining(nanoseconds now) override {
    advance(now);
    return to_amount(level_, window_);
  }

  nanoseconds reset_after(nanoseconds now) override {
    advance(now);
    return to_time(ceil_div(full() - level_, limit_));
  }

  void set_limit(std::int64_t limit, nanoseconds now) override {
    advance(now);
    const units debt = std::min(level_, units{0});  // neither forgiven nor made by a lower limit
    level_ = std::max(level_ + units{limit - limit_} * window_, debt);
    limit_ = limit;
  }

  void refill(nanoseconds now) override {
    advance(now);
    level_ = full();
  }

 private:
  units full() const { return units{limit_} * window_; }

  units level_at(nanoseconds t) const {
    if (t <= time_) return level_;
    const units elapsed = (t - time_).count();
    if (limit_ > foreign_) return std::min(level_ + elapsed * (limit_ - foreign_), full());
    if (level_ > 0) return std::max(level_ - elapsed * (foreign_ - limit_), units{0});
    return std::min(level_ + elapsed * limit_, units{0});  // a debt is paid off first, whoever waits
  }

  void advance(nanoseconds now) {
    level_ = level_at(now);
    time_ = std::max(time_, now);
  }

  std::int64_t window_;
  std::int64_t limit_;
  std::int64_t foreign_;
  units level_;  // below 0 when a request used more than it had reserved
  nanoseconds time_{0};
};

class window_meter final : public meter {
 public:
  window_meter(std::int64_t limit, nanoseconds window, nanoseconds wall_at_epoch, std::int64_t foreign)
      : window_(window), wall_(wall_at_epoch), limit_(limit), foreign_(foreign) {
    now_.index = index_of(now_.time);
  }

  std::int64_t limit() const override { return limit_; }

  std::optional<nanoseconds> ready_at(std::int64_t amount, nanoseconds from) const override {
    if (amount > limit_) return std::nullopt;
    const auto then = at(from);
    return units{amount} * window_.count() <= left(then) ? then.time : end_of(then);
  }

  void charge(std::int64_t amount, const charge_stamp& stamp) override {
    now_ = at(stamp.at);
    now_.used += amount;
  }

  // A window that has ended took its charges with it: nothing is refunded to the next one, nor charged.
  void correct(std::int64_t difference, const charge_stamp& stamp, nanoseconds now) override {
    now_ = at(now);
    if (index_of(stamp.at) == now_.index) now_.used = std::max<std::int64_t>(now_.used + difference, 0);
  }

  std::int64_t remaining(nanoseconds now) override {
    now_ = at(now);
    return to_amount(left(now_), window_.count());
  }

  nanoseconds reset_after(nanoseconds now) override {
    now_ = at(now);
    return end_of(now_) - now_.time;
  }

  void set_limit(std::int64_t limit, nanoseconds now) override {
    now_ = at(now);
    limit_ = limit;
  }

  void refill(nanoseconds now) override {
    now_ = at(now);
    now_.used = 0;
    now_.foreign_used = 0;
  }

 private:
  struct state {
    nanoseconds time{0};
    std::int64_t index = 0;  // of the window, counted from 1970
    std::int64_t used = 0;
    units foreign_used = 0;
  };

  std::int64_t index_of(nanoseconds t) const {
    const auto wall = (t + wall_).count();
    const auto size = window_.count();
    return wall >= 0 ? wall / size : -((-wall + size - 1) / size);
  }

  nanoseconds end_of(const state& s) const { return (s.index + 1) * window_ - wall_; }

  units left(const state& s) const { return (units{limit_} - s.used) * window_.count() - s.foreign_used; }

  state at(nanoseconds t) const {
    auto result = now_;
    if (t <= now_.time) return result;
    auto since = now_.time;
    result.time = t;
    if (const auto index = index_of(t); index != now_.index) {
      since = index * window_ - wall_;
      result = {t, index, 0, 0};
    }
    // The other consumer is refused as well when nothing is left.
    const auto wanted = units{(t - since).count()} * foreign_;
    result.foreign_used += std::clamp(wanted, units{0}, std::max(left(result), units{0}));
    return result;
  }

  nanoseconds window_;
  nanoseconds wall_;
  std::int64_t limit_;
  std::int64_t foreign_;
  state now_;
};

class sliding_meter final : public meter {
 public:
  sliding_meter(std::int64_t limit, nanoseconds window, std::int64_t foreign)
      : window_(window), limit_(limit), foreign_(foreign) {}

  std::int64_t limit() const override { return limit_; }

  std::optional<nanoseconds> ready_at(std::int64_t amount, nanoseconds from) const override {
    const auto allowed = limit_ - foreign_ - amount;
    if (allowed < 0) return std::nullopt;
    auto ready = std::max(from, time_);
    auto used = used_;
    for (const auto& entry : log_) {
      if (used <= allowed && entry.at + window_ > ready) break;
      used -= entry.amount;
      ready = std::max(ready, entry.at + window_);
    }
    return ready;
  }

  void charge(std::int64_t amount, const charge_stamp& stamp) override {
    advance(stamp.at);
    if (log_.size() == max_entries) merge_pairs();
    log_.push_back({time_, amount, stamp.sequence});
    used_ += amount;
  }

  void correct(std::int64_t difference, const charge_stamp& stamp, nanoseconds now) override {
    advance(now);
    const auto entry = std::lower_bound(log_.begin(), log_.end(), stamp.sequence,
                                        [](const auto& e, auto sequence) { return e.last_sequence < sequence; });
    // The entry found is a later one when that of the stamp has left the window.
    if (entry == log_.end() || stamp.at + window_ <= time_) return;
    const auto amount = std::max<std::int64_t>(entry->amount + difference, 0);
    used_ += amount - entry->amount;
    entry->amount = amount;
  }

  std::int64_t remaining(nanoseconds now) override {
    advance(now);
    return std::max<std::int64_t>(limit_ - foreign_ - used_, 0);
  }

  nanoseconds reset_after(nanoseconds now) override {
    advance(now);
    for (const auto& entry : log_) {
      if (entry.amount > 0) return entry.at + window_ - time_;
    }
    return nanoseconds{0};
  }

  void set_limit(std::int64_t limit, nanoseconds now) override {
    advance(now);
    limit_ = limit;
  }

  void refill(nanoseconds now) override {
    advance(now);
    log_.clear();
    used_ = 0;
  }

 private:
  struct logged {
    nanoseconds at;
    std::int64_t amount;
    std::uint64_t last_sequence;
  };
  static constexpr std::size_t max_entries = 1 << 17;

  void advance(nanoseconds now) {
    time_ = std::max(time_, now);
    while (!log_.empty() && log_.front().at + window_ <= time_) {
      used_ -= log_.front().amount;
      log_.pop_front();
    }
  }

  // Bounds the memory: beyond it, neighbours share the later one's time, so the limit still holds.
  void merge_pairs() {
    std::deque<logged> merged;
    for (std::size_t i = 0; i + 1 < log_.size(); i += 2) {
      merged.push_back({log_[i + 1].at, log_[i].amount + log_[i + 1].amount, log_[i + 1].last_sequence});
    }
    log_ = std::move(merged);
  }

  nanoseconds window_;
  std::int64_t limit_;
  std::int64_t foreign_;  // has been there for longer than a window, so its share of each is constant
  std::int64_t used_ = 0;
  std::deque<logged> log_;
  nanoseconds time_{0};
};

}  // namespace

std::unique_ptr<meter> make_meter(refill_rule rule, std::int64_t limit, nanoseconds window, nanoseconds wall_at_epoch,
                                  std::int64_t foreign) {
  switch (rule) {
    case refill_rule::window:
      return std::make_unique<window_meter>(limit, window, wall_at_epoch, foreign);
    case refill_rule::sliding:
      return std::make_unique<sliding_meter>(limit, window, foreign);
    case refill_rule::bucket:
      break;
  }
  return std::make_unique<bucket_meter>(limit, window, foreign);
}

}  // namespace cooldown::sim
