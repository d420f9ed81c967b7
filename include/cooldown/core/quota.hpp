// All that is known about the quota of one scope (credential and model): six budgets where headers tell, static sliding
// windows where they don't, and a hold where the provider asked for one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "cooldown/core/budget.hpp"
#include "cooldown/core/refusal.hpp"
#include "cooldown/core/sliding_window.hpp"

namespace cooldown {

struct quota_settings {
  bool use_headers = true;
  bool header_fallback = true;  // without headers: true: static windows; false: nothing
  duration header_timeout = std::chrono::seconds{5};
  duration reset_buffer = std::chrono::milliseconds{100};
  double rpm_limit = 30;      // requests a minute: static, and what no header reports
  double tpm_limit = 60'000;  // tokens a minute: static
};

/// Snapshots older than this decide nothing any more.
constexpr duration snapshot_lifetime = std::chrono::minutes{5};

/// What decided a release: the provider's headers, or the configured limits.
enum class basis : std::uint8_t { headers, fallback };

class quota {
 public:
  /// Identifies a reservation; increasing in the order of release.
  using reservation_id = std::uint64_t;

  quota(const quota_settings& settings, time_point now);

  void configure(const quota_settings& settings, time_point now);

  /// Earliest time at which a request of `cost` tokens may go, given `waited`, the time since it was submitted. Rounded
  /// up: at that time it will fit, if nothing else happens.
  time_point ready_at(double cost, duration waited, time_point now);

  /// When the last of several requests may go: `cost` for itself, `ahead_requests` and `ahead_tokens` before it.
  time_point forecast(double cost, double ahead_requests, double ahead_tokens, time_point now);

  /// The real token limit if a header told it: a cost above it can never be admitted.
  std::optional<double> known_token_limit() const;

  /// Takes one request of `cost` tokens out of every budget, and out of the sliding windows.
  reservation_id reserve(double cost, time_point now);

  /// The response head of a reservation: its snapshot, if it had one. `charged` is false for a refusal. Returns the
  /// tokens that the provider charged for it, where nothing else can explain the drop of the remaining.
  std::optional<double> observe(reservation_id id, const rate_limit_snapshot* snapshot, bool charged, time_point now);

  /// A snapshot without a reservation of ours.
  void update(const rate_limit_snapshot& snapshot, time_point now);

  /// The provider refused the reservation, which ends here. `informed`: the refusal carried a snapshot, already
  /// observed.
  void refused(reservation_id id, const refusal& why, bool informed, time_point now);

  /// The reservation ends with its real cost; nullopt: not known, so it stands until headers correct it. `input_excess`
  /// is by how much the input was taken for more than it was: headers have shown that already.
  void settle(reservation_id id, std::optional<double> actual, double input_excess, time_point now);

  /// The reservation ends; the request never reached the provider.
  void cancel(reservation_id id, time_point now);

  /// Nothing goes before `until`, but for one probe at a time after it.
  void hold(time_point until);

  /// The provider has answered a request of this scope.
  bool answered() const { return answered_; }
  basis decides(time_point now) const;
  std::optional<time_point> last_update() const { return last_update_; }
  std::size_t in_flight() const { return reservations_.size(); }
  const budget* find(resource r, window w) const;
  double level(resource r, window w, time_point now);
  std::optional<time_point> hold_until() const { return hold_until_; }

 private:
  struct reservation {
    double cost = 0;
    time_point taken;
    bool answered = false;
    bool measurable = false;  // its header will show its charge
    std::array<budget::mark, slot_count> marks{};
  };

  double amount(std::size_t slot, double cost) const { return resource_of(slot) == resource::requests ? 1 : cost; }
  using entry = std::map<reservation_id, reservation>::iterator;
  time_point static_ready_at(double cost, duration waited, time_point now);
  budget& make_budget(std::size_t slot, const limit_snapshot& s, time_point now);
  void create(std::size_t slot, entry answered, const limit_snapshot& s);
  void create_configured(time_point now);
  bool measurable(time_point now);
  unsigned overlap_of(entry e) const;
  void give_back_all(const reservation& r, time_point now);
  void end(entry e);
  budget_settings budget_options() const;

  quota_settings settings_;
  std::array<std::optional<budget>, slot_count> budgets_;
  sliding_window requests_;
  sliding_window tokens_;
  std::map<reservation_id, reservation> reservations_;  // ordered by release
  reservation_id next_id_ = 1;
  std::size_t unanswered_ = 0;
  std::optional<time_point> last_update_;
  bool answered_ = false;  // the provider has admitted something: the start is over
  std::optional<time_point> hold_until_;
  bool cautious_ = false;  // after a refusal: one at a time until one is admitted
  unsigned refusals_ = 0;  // rounds of refusals since one was admitted
  time_point last_refusal_{};
  time_point last_release_{};
  time_point last_probe_{};  // at a cold start: the last release beyond the static limits
};

}  // namespace cooldown
