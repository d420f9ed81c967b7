// One limit of a scope, as far as it can be known from outside: how much is left now, and when n will fit.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "cooldown/limit/belief.hpp"
#include "cooldown/limit/charged_part.hpp"
#include "cooldown/limit/hidden_limit.hpp"
#include "cooldown/limit/outlook.hpp"
#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/limit/reckoning.hpp"
#include "cooldown/limit/refill_evidence.hpp"
#include "cooldown/limit/refill_test.hpp"
#include "cooldown/limit/spending_log.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// What became of a request whose answer shows a remaining.
enum class fate : std::uint8_t {
  charged,  // admitted: its cost is in the remaining
  refused,  // for the quota: it is not
  unknown,  // it failed otherwise, before or after it was charged: taken for not, as the careful reading
};

struct budget_settings {
  duration reset_buffer = std::chrono::milliseconds{100};  // added to every announced reset
  duration header_timeout = std::chrono::seconds{5};       // how long probes after a reset wait for a fresh header
  std::optional<refill> pinned;                            // how limits refill; nullopt: learned from evidence
};

/// A model of one provider-side limit. Its level is dead-reckoned: reservations taken, refunds given, refill added. A
/// header is about the past: it tells of the level right after the request that it answers (`mark`), and everything
/// released, refunded or refilled since is accounted for by itself, in whatever order responses arrive (reckoning).
///
/// How it refills is learned (docs/decisions/008-learned-refill.md): continuous until headers or refusals speak against
/// it, or a window where resets are announced. The three models differ only in how the level moves with time.
class budget {
 public:
  /// What a reservation keeps of this budget, to read the header that will answer it.
  struct mark {
    reckoning::mark level;
    double spent = 0;         // the sum of all that was taken and not given back, right after taking
    std::uint32_t epoch = 0;  // 0: taken before the budget was known
  };

  /// Full at `now`; refills as `model` until evidence speaks against it. A window is one that is announced: the header
  /// that does so is to be observed.
  budget(double limit, duration window, refill model, time_point now, const budget_settings& settings);

  void configure(const budget_settings& settings);

  /// The wall clock minus the steady one: windows without announced resets end at whole minutes, hours and days of it.
  void align(duration wall_offset) { wall_offset_ = wall_offset; }

  double limit() const { return limit_; }
  /// True when a refusal has named it and nothing else has: its value is a guess.
  bool is_guess() const { return hidden_.is_guess(); }
  /// What goes missing of a continuous refill, in units per second: other users of the quota.
  double drift() const { return drift_; }
  /// The most that can be there at once: the limit, or a remaining beyond it.
  double capacity() const { return limit_ > highest_ ? limit_ : highest_; }
  /// What is believed of its refill.
  belief believed() const { return belief_; }
  refill model() const { return model_of(belief_); }
  /// True once a header has spoken of this budget; until then it is what the configuration says.
  bool reported() const { return reported_; }
  /// True once a header has shown what remains; until then the level is our own count.
  bool shown() const { return shown_; }
  /// When a header last spoke of it; nothing that old is known any more is told to anybody.
  time_point told_at() const { return told_at_; }
  /// True when refusals have shown when this limit was used up, which no header does.
  bool learned() const { return hidden_.learned(); }
  /// True when its level may hold requests back. A limit whose remaining is never shown may not be all there is: it
  /// holds nothing back before a refusal has named it.
  bool binds() const { return !reported_ || shown_ || learned(); }

  /// Units left as far as we know, reservations in flight deducted; may be negative after a correction.
  double level(time_point now);

  /// How many requests and refunds it keeps; bounded.
  std::size_t entries() const { return levels_.entries() + log_.size(); }

  /// Units taken within the last window, as far as they were not given back.
  double used(time_point now);

  /// What the configuration allows and no header speaks of is used up by our own count: that is no belief.
  bool forbids(double n, time_point now);

  /// When everything is there again, if that is announced or inferred.
  std::optional<time_point> next_reset() const { return reset_at_; }

  /// Earliest time at which `n` fit if nobody else takes any; an `n` above the limit fits when all of it is there.
  /// `passed`: as if so much more had just been taken.
  time_point ready_at(double n, time_point now, double passed = 0);

  /// As it is expected to go on from now.
  outlook ahead(time_point now);

  /// An answer is over: it used `used` tokens, of which `charged` were taken of this limit, as far as its end told.
  void count_use(double used, double charged) { charged_.count(used, charged); }

  mark take(double n, time_point now);

  /// The mark of a request that went out long before one that has told of this budget, and so is included in that.
  mark mark_before() const { return {.level = levels_.unknown(), .spent = spent_, .epoch = epoch_}; }

  /// Returns `n` of what `m` took at `taken`. The level stays when a reset has passed since: the window that it was
  /// taken from is over.
  void give_back(const mark& m, double n, time_point taken, time_point now);

  /// What `m` took at `taken` turns out to be `by` less, before the header that answers it.
  void correct(const mark& m, double by, time_point taken, time_point now);

  /// The provider never charged the `n` that `m` took at `taken`.
  void untake(const mark& m, double n, time_point taken, time_point now);

  /// A response to a request that took `m` at `sent` says `s`. `overlap` is how many other requests the provider may
  /// have met in another order than we sent them; `n` is what was taken. Returns by how much the remaining differs from
  /// what the model said: positive, more is there.
  double observe(const mark& m, double n, const limit_snapshot& s, time_point sent, time_point now, unsigned overlap,
                 fate became);

  /// Would a header that shows `remaining` after a request that took `m` of `n` be news?
  bool surprised_by(double remaining, const mark& m, double n) const;

  /// The header of an admitted request that took `m` at `sent` is a copy of an older one.
  void observe_copy(const mark& m, time_point sent, time_point now);

  /// A request sent at `sent` was admitted, and no header tells of this budget.
  void admitted(time_point sent, time_point now);

  /// A request that took `m` was admitted, sent although there was nothing left by our count, and its answer did not
  /// tell of this budget.
  void disproved(const mark& m, time_point now);

  /// A request that took `m` of `n` at `sent` was refused without a word of what is left: it was less than `n`. The
  /// `attempt`th refusal in a row (1, 2, …) assumes half, then all of `n` missing. `retry_after` is used where no
  /// better plan exists; `undecided` is what others took so lately that they may be refused too. The reservation is
  /// given back.
  void refused(const mark& m, double n, unsigned attempt, std::optional<duration> retry_after, double undecided,
               time_point sent, time_point now);

  learned_limit save(time_point now);
  /// As it was at `saved`. False: that makes no sense, and nothing has changed.
  bool restore(const learned_limit& s, time_point saved);

  /// Nobody has configured its limit: refusals and their absence say more of it than the guess that it was made with.
  void guessed() { hidden_.guessed(); }

  /// The configured limit changed.
  void set_limit(double limit);

 private:
  void set_told_limit(double limit);
  void advance(time_point now);
  bool forget(const mark& m, double n, time_point taken, time_point now);
  void roll(time_point now);
  void learn_from_headers(time_point now);
  void met(double n, double undecided, bool probe, std::optional<duration> retry_after, time_point sent,
           time_point now);
  void follow_hidden_limit();
  void observe_reset(const limit_snapshot& s, time_point sent, time_point now);
  void vote(const limit_snapshot& s);
  void judge_reset(const mark& m, double after, time_point sent);
  void judge_test(const mark& m, double after, time_point sent, time_point now);
  void judge_suspected_sliding(const mark& m, double after, time_point sent);
  void widen_margin(double n);
  bool plausible_bucket() const;
  bool few_in_limit(double n) const;
  void suspect(std::optional<duration> retry_after, time_point now);
  bool explained_by_sliding(double n) const;
  void refused_in_window(bool probe, std::optional<duration> retry_after, time_point now);
  bool learn(evidence e);
  time_point boundary_after(time_point t) const;
  std::optional<time_point> window_end() const;
  time_point test_or(time_point at, double n, double passed, time_point now);
  double certain_level(time_point now) const;
  time_point certain_at(double n, time_point now) const;
  double rate() const { return limit_ / seconds_of(window_); }  // units per second
  double inflow() const { return rate() - std::min(drift_, most_drift * rate()); }
  headroom kept() const;
  double spare(double n) const { return kept().of(n, capacity()); }
  double taken_since_reset() const { return spent_ - spent_at_reset_; }

  // How much of the refill may be given up for lost to others: some remains to find out with.
  static constexpr double most_drift = 0.8;
  static constexpr int evidence_part = 4;  // of the window: evidence of a minute's limit is weighed over 15 seconds

  budget_settings settings_;
  double limit_;
  duration window_;
  time_point at_;  // the moment levels_ is of
  reckoning levels_;
  double spent_ = 0;
  double highest_ = 0;  // a remaining above the limit: two buckets behind one name
  bool reported_ = false;
  bool shown_ = false;
  belief belief_;
  spending_log log_;
  refill_evidence evidence_;
  refill_test test_;
  std::pair<time_point, double> test_offered_{};  // when, and of how much
  time_point shown_at_;                           // when the request of the latest header was sent
  time_point taken_at_{};
  unsigned gaps_ = 0;          // left between releases to see whether it refills
  time_point evidence_since_;  // requests sent before it are no evidence: the level has jumped or was full

  double overflow_;  // what would have come in since it was full: so long has it been
  double drift_ = 0;
  double gone_ = 0;  // what a refusal is taken to show as missing, if it cannot be explained; fading
  time_point gone_at_{};
  unsigned rounds_ = 0;      // of such refusals, not long after each other
  double margin_ = 0;        // kept unspent after refusals that the model cannot explain
  std::uint32_t epoch_ = 1;  // counts resets: a header from before one says nothing about after it

  // window model
  std::optional<time_point> reset_at_;   // announced or inferred, not yet passed
  time_point window_start_;              // at the latest: where no reset is known, the window's end counts from it
  bool announced_ = false;               // resets are sent
  bool assumed_ = false;                 // after a reset, until a fresh header: a tenth of the limit is assumed
  std::optional<time_point> probed_at_;  // first release after the reset
  /// What was there when the latest suspicion came up: what a bucket would have made of it.
  struct suspicion {
    time_point since;
    double level = 0;
    double spent = 0;
    double refunds = 0;  // since, of what was taken before a reset: a bucket would have it back
  };
  suspicion suspicion_;
  double spent_at_reset_ = 0;
  unsigned continuous_votes_ = 0;  // 0 to 3: how firmly resets equal the time to full
  duration wall_offset_{};
  duration phase_{};  // how much later than the wall clock's boundaries windows have been seen to end

  charged_part charged_;
  hidden_limit hidden_;  // limit_ where no header reports it
  time_point told_at_{};
};

}  // namespace cooldown
