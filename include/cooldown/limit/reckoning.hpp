// The level between headers, which all describe the past and arrive in any order.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "cooldown/time.hpp"

namespace cooldown {

/// Requests sent this close together may reach the provider in another order, for example because one still has to
/// finish its TLS handshake.
constexpr duration reordering = std::chrono::milliseconds{250};

/// Dead reckoning of one level. Apart from income (refill, refunds), the provider's remaining only falls, with every
/// request that it receives: so the lowest value seen is the latest, in whatever order answers arrive. It includes
/// every request that was answered by then, and every one sent long before; all others are deducted from it. When we
/// learn of a refund while a request is in flight, nobody knows whether the provider gave it before or after it
/// received that request: before is assumed, so that no refund counts twice.
class reckoning {
 public:
  /// What a request stores, to interpret the header that will answer it.
  struct mark {
    std::uint64_t sequence = 0;  // 0: sent before the limit was known
    double income = 0;           // total income when it was sent
    double refunds = 0;          // of that, refunds
    double level = 0;            // right after taking, without corrections
  };

  explicit reckoning(double level) : level_(level) {}

  double level() const { return level_; }
  /// Number of requests kept; bounded.
  std::size_t pending_requests() const { return pending_.size() + copied_.size(); }
  /// Number of requests and refunds kept; bounded.
  std::size_t entries() const { return pending_requests() + history_.size(); }
  /// The mark of a request sent before the limit was known.
  mark unknown() const {
    return {.sequence = 0, .income = income_, .refunds = refunds_, .level = level_ - corrections_};
  }

  mark take(double n, time_point now);

  /// Adds refill; negative: used by somebody else.
  void refill(double n);

  /// A request used `n` less than it took; negative: more.
  void refund(double n, time_point now);

  /// The provider did not charge the `n` that `m` took; ends the request.
  void untake(const mark& m, double n);

  /// What `m` took is `by` less than assumed. No effect if a header has already included it.
  void correct(const mark& m, double by);

  /// Caps the level: a full bucket does not refill.
  void cap(double capacity);

  /// A header, seen at `now`, of a request sent at `sent` shows `remaining`. Returns how much the level changes.
  double observe(const mark& m, double remaining, time_point sent, time_point now);

  /// The header that answers `m`, sent at `sent`, is a copy from before the provider received the request: a later
  /// header will include it.
  void not_shown(const mark& m, time_point sent);

  /// The answer to `m`, sent at `sent`, has no header: those of others, sent at about the same time, may include it.
  void answered_silently(const mark& m, time_point sent);

  /// Lowers the level by `by` below what headers suggest.
  void lower(double by);

  /// A window has ended: starts again at `level`. Requests in flight were charged to the old window.
  void restart(double level);

  /// The level right after `m` was taken, according to all headers seen since.
  double level_after(const mark& m) const { return m.level + corrections_; }

 private:
  struct pending {
    std::uint64_t sequence;
    time_point sent;
    double n;  // 0: answered
    bool silent = false;
  };
  pending* find(std::uint64_t sequence);
  void drop_first();
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

  // Requests that may not be included in the lowest remaining, in the order of sending. If there are more than this
  // many, the oldest count as included: if no header ever comes, nothing else would remove them.
  static constexpr std::size_t most_pending = 1024;
  std::deque<pending> pending_;
  double pending_sum_ = 0;
  double silent_sum_ = 0;        // part of it: answered without a header
  std::uint64_t forgotten_ = 0;  // sequence of the latest one dropped for lack of room

  // Requests answered by copies of older headers; those sent within `reordering` are combined.
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

  // The lowest remaining minus income, for the latest groups of requests sent at about the same time. The lowest of
  // several counts: travel times differ, and the limit refills meanwhile.
  static constexpr std::size_t groups = 4;
  std::array<double, groups> lows_{};
  std::size_t count_ = 0;
  time_point group_start_{};
  time_point latest_sent_{};
};

}  // namespace cooldown
