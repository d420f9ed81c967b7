// Where a level stands between headers that are all about the past and arrive in any order.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "cooldown/time.hpp"

namespace cooldown {

/// Requests sent this close together may reach the provider in another order: one may still be in its TLS handshake.
constexpr duration reordering = std::chrono::milliseconds{250};

/// Dead reckoning of one level. Apart from what came in (refill, refunds), the remaining that a provider shows only
/// falls, with every request that it meets: so the lowest one seen is the latest, whatever order answers arrive in. It
/// includes every request that was answered by then, and every one sent long before; the others are taken off it. Of a
/// refund nobody knows whether the provider gave it before or after it met a request that was under way when we heard
/// of it: taken for before, it is not counted twice.
class reckoning {
 public:
  /// What a request keeps, to read the header that will answer it.
  struct mark {
    std::uint64_t sequence = 0;  // 0: was sent before anything was known
    double income = 0;           // what had come in when it was sent
    double refunds = 0;          // of that, refunds
    double level = 0;            // right after taking, as it was believed then, free of corrections
  };

  explicit reckoning(double level) : level_(level) {}

  double level() const { return level_; }
  /// How many requests it keeps; bounded.
  std::size_t pending_requests() const { return pending_.size() + copied_.size(); }
  /// The same, and refunds; bounded.
  std::size_t entries() const { return pending_requests() + history_.size(); }
  /// The mark of a request sent before anything was known.
  mark unknown() const {
    return {.sequence = 0, .income = income_, .refunds = refunds_, .level = level_ - corrections_};
  }

  mark take(double n, time_point now);

  /// Refill; negative: somebody else took it.
  void refill(double n);

  /// A request used less than it took; negative: more.
  void refund(double n, time_point now);

  /// The provider never charged what `m` took; ends it.
  void untake(const mark& m, double n);

  /// What `m` took turns out to be `by` less; where it counts as included in what was seen, that has told already.
  void correct(const mark& m, double by);

  /// A bucket that is full takes no more.
  void cap(double capacity);

  /// A header, seen at `now`, of a request that was sent at `sent` shows `remaining`. Returns by how much the level
  /// changes.
  double observe(const mark& m, double remaining, time_point sent, time_point now);

  /// The header of `m`, sent at `sent`, is a copy of one made before the provider met it: a later one will include it.
  void not_shown(const mark& m, time_point sent);

  /// There must be `by` less than headers make us think.
  void lower(double by);

  /// Everything is new: a window has ended. What is in flight was charged to the old one.
  void restart(double level);

  /// The level right after `m` was taken, in the light of all that headers have shown since.
  double level_after(const mark& m) const { return m.level + corrections_; }

 private:
  struct pending {
    std::uint64_t sequence;
    time_point sent;
    double n;  // 0: answered
  };
  void include_until(time_point cutoff);
  void include_copied(time_point sent);
  void answered(std::uint64_t sequence);
  double lowest() const;
  double refunds_until(time_point t) const;

  double level_;
  double income_ = 0;
  double refunds_ = 0;
  double corrections_ = 0;  // sum of all changes by observations
  std::uint64_t next_ = 1;

  // Not known to be included in the lowest remaining, in the order of sending. Of more than this many, the oldest are
  // taken for included: where no header ever comes, nothing else would end them.
  static constexpr std::size_t most_pending = 1024;
  std::deque<pending> pending_;
  double pending_sum_ = 0;
  std::uint64_t forgotten_ = 0;  // the latest that had to go

  // Answered by copies of older headers; those sent within `reordering` together.
  struct copied {
    time_point sent;  // the latest
    double n;
  };
  static constexpr std::size_t most_copied = 1024;
  std::deque<copied> copied_;  // part of pending_sum_

  struct refunded {
    time_point at;
    double sum;  // of all until then
  };
  static constexpr std::size_t most_refunds = 256;
  std::deque<refunded> history_;

  // The lowest remaining less income, of the latest groups of requests sent about together. The lowest of several
  // counts: travel times differ, and it refills meanwhile.
  static constexpr std::size_t groups = 4;
  std::array<double, groups> lows_{};
  std::size_t count_ = 0;
  time_point group_start_{};
  time_point latest_sent_{};
};

}  // namespace cooldown
