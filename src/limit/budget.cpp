#include "cooldown/limit/budget.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// Released this much after the model says that it fits: clocks tick, and a request may reach the provider sooner than
// the one whose share it takes over. Twice as much where nothing but our own count tells.
constexpr duration guard = std::chrono::milliseconds{5};

// Where few requests make up the limit, each is released when the one before has come back: later by this share of that
// time, and at most by what travel times may differ.
constexpr double guarded_share = 0.002;

// The same for a sliding log, where what comes back came all at once: as late as it went then, as early it may be now.
constexpr duration sliding_guard = std::chrono::milliseconds{25};

// How far a header may be off without anybody's fault (standard deviations): whole units, a share of the cost for
// refunds that happen meanwhile, and one for each other request that may have been met before or after.
constexpr double rounding = 0.5;
constexpr double misjudged = 0.1;
constexpr double misplaced = 0.5;

// A remaining is what was expected within this share of the cost, or so many requests.
constexpr double doubted_share = 0.5;
constexpr double doubted_requests = 2.5;

// While nothing tells how a limit refills, the last of what is there without any refill goes one by one, so far apart
// that refill shows in the next header.
constexpr double last_certain = 4;
constexpr duration telling_gap = std::chrono::milliseconds{500};
constexpr duration longest_gap = std::chrono::seconds{5};
constexpr double fewest_in_limit = 16;
constexpr unsigned most_gaps = 6;

// A mere suspicion that it slides is dropped after so many windows.
constexpr int suspicion_windows = 60;

// With each window that ends, so much is forgotten of how late it does: what others have made of it is gone in the end,
// and where clocks differ, one refusal in some hundred windows says so again.
constexpr duration phase_fade = std::chrono::milliseconds{2};

// How fast what is kept unspent after refusals is forgotten.
constexpr double margin_memory_seconds = 120;

// Doubles of this size add up in the 12th digit; a wait of a nanosecond for a millionth of a token would be silly.
constexpr double epsilon = 1e-6;

evidence configured(std::optional<refill> r) {
  if (!r) return evidence::configured_to_learn;
  switch (*r) {
    case refill::continuous:
      return evidence::configured_bucket;
    case refill::window:
      return evidence::configured_window;
    case refill::sliding:
      return evidence::configured_sliding;
  }
  return evidence::configured_to_learn;
}

}  // namespace

budget::budget(double limit, duration window, refill model, time_point now, const budget_settings& settings)
    : settings_(settings),
      limit_(limit),
      window_(window),
      at_(now),
      levels_(limit),
      belief_(model == refill::window ? belief::announced_window : belief::assumed_bucket),
      log_(window, sliding_guard),
      evidence_(window / evidence_part),
      shown_at_(now),
      evidence_since_(now),
      overflow_(limit),
      window_start_(now),
      announced_(model == refill::window),
      hidden_(limit, window, now) {
  configure(settings);
}

void budget::configure(const budget_settings& settings) {
  settings_ = settings;
  learn(configured(settings.pinned));
}

/// What was seen above the old one tells nothing of the new one.
void budget::set_told_limit(double limit) {
  if (limit != limit_) highest_ = 0;
  limit_ = limit;
}

void budget::set_limit(double limit) {
  if (limit == hidden_.configured()) return;
  levels_.refill(limit - limit_);
  levels_.cap(limit);
  limit_ = limit;
  hidden_.configure(limit);
}

time_point budget::boundary_after(time_point t) const {
  auto const wall = t.time_since_epoch() + wall_offset_ - phase_;
  return t + (window_ - wall % window_);
}

/// Every window ends, whether or not anybody has told when; nullopt: the header that will is being read.
std::optional<time_point> budget::window_end() const {
  if (reset_at_ || (announced_ && !reported_)) return reset_at_;
  return announced_ ? window_start_ + window_ : boundary_after(window_start_);
}

/// The level stays what it is: only how it moves from now on changes. Returns whether anything did.
bool budget::learn(evidence e) {
  auto const before = belief_;
  belief_ = on(before, e);
  if (model_of(before) == model()) return before != belief_;
  if (model() == refill::continuous) test_.forget();
  assumed_ = false;
  reset_at_.reset();
  hidden_.filled();
  // A log holds no more than its limit: beyond, costs are misjudged, or it is new.
  if (shown_ && model() == refill::sliding && log_.sum() > limit_) log_.scale(limit_ / log_.sum());
  window_start_ = at_;
  drift_ = 0;
  evidence_.clear();
  evidence_since_ = at_;
  return true;
}

/// The reset has passed. A tenth is assumed until a fresh header tells how much there really is; before a window has
/// been seen to bring everything back at once, no more of it than a sliding log would bring. Where windows are only
/// suspected, one probe goes.
void budget::roll(time_point now) {
  auto const level = levels_.level();
  double tenth = limit_ / 10;
  if (!is_proven(belief_)) tenth = std::clamp(limit_ - log_.sum(), 0.0, tenth);
  levels_.restart(announced_ || is_proven(belief_) ? std::min(capacity(), std::max(level, tenth))
                                                   : std::min(level, 0.0));
  reset_at_.reset();
  window_start_ = now;
  phase_ -= std::min(phase_, phase_fade);
  if (!announced_) reset_at_ = boundary_after(now);
  assumed_ = true;
  unjudged_ = true;
  probed_at_.reset();
  spent_at_reset_ = spent_;
  hidden_.filled();
  evidence_.clear();
  evidence_since_ = now;
  ++epoch_;
  at_ = now;
}

void budget::advance(time_point now) {
  if (now <= at_) return;
  double const elapsed = seconds_of(now - at_);
  if (margin_ > 0) margin_ = margin_ < epsilon ? 0 : margin_ * std::exp(-elapsed / margin_memory_seconds);
  if (gone_ > 0) gone_ = gone_ < epsilon ? 0 : gone_ * std::exp(-elapsed / seconds_of(window_));
  // What headers have told of others is soon old.
  if (drift_ > 0 && now > shown_at_ + window_ / evidence_part)
    drift_ *= std::exp(-elapsed * evidence_part / seconds_of(window_));
  double const left = log_.leave(now);
  switch (model()) {
    case refill::continuous:
      // Nobody's bucket is below empty: after a whole window without any request, neither is our own count of it.
      if (!shown_ && log_.empty() && levels_.level() < 0) levels_.refill(-levels_.level());
      levels_.refill(inflow() * elapsed);
      if (!shown_) levels_.refill(hidden_.repay(now - at_));
      break;
    case refill::window:
      if (auto const end = window_end(); end && now >= *end + settings_.reset_buffer) roll(now);
      if (assumed_ && probed_at_ && now >= *probed_at_ + settings_.header_timeout) {
        if (announced_ || is_proven(belief_)) {
          assumed_ = false;
          levels_.restart(limit_ - taken_since_reset());
        } else {
          probed_at_.reset();
        }
      }
      break;
    case refill::sliding:
      if (now >= suspicion_.since + suspicion_windows * window_ && learn(evidence::suspicion_expired)) return;
      levels_.refill(log_.empty() ? capacity() - levels_.level() : left);
      spent_ -= left;  // what comes back by itself is no evidence of another refill
      break;
  }
  if (levels_.level() < capacity()) {
    overflow_ = 0;
  } else {
    overflow_ = std::min(capacity(), overflow_ + levels_.level() - capacity());
    levels_.cap(capacity());
    evidence_.clear();
    evidence_since_ = now;
    hidden_.filled();
  }
  at_ = now;
}

double budget::level(time_point now) {
  advance(now);
  return levels_.level();
}

double budget::used(time_point now) {
  advance(now);
  return log_.sum();
}

bool budget::forbids(double n, time_point now) {
  double const most = hidden_.configured();
  return !reported_ && !hidden_.is_guess() && used(now) + std::min(n, most) > most;
}

headroom budget::kept() const {
  if (model() == refill::window) return {};
  headroom k{.rounding = 1, .margin = margin_};
  if (model() == refill::sliding) return k;
  if (!shown_) {
    k.margin += rate() * seconds_of(2 * guard);
    return k;
  }
  k.clocks_part = guarded_share;
  k.least_clocks = rate() * seconds_of(guard);
  k.most_clocks = rate() * seconds_of(reordering);
  return k;
}

time_point budget::ready_at(double n, time_point now, double passed) {
  advance(now);
  n = std::min(n, capacity());
  double const level = levels_.level() + (levels_.level() < capacity() ? 0 : overflow_) - passed;
  double missing = n + spare(n) - level;
  // Headers may count what has just come back or not: it is in the level, but not yet to be relied on.
  if (model() == refill::sliding) missing += log_.fresh();
  if (missing <= epsilon) return certain_at(n, now);
  if (model() == refill::sliding)
    return test_or(
        missing > log_.sum() + log_.fresh() + epsilon ? now + window_ + sliding_guard : log_.when_left(missing, now), n,
        passed, now);
  if (model() == refill::window) {
    if (assumed_) {
      // Nothing went out since the reset: one request is let through as a probe, however large.
      if (taken_since_reset() == 0 || !probed_at_) return passed == 0 ? now : now + settings_.header_timeout;
      if (probed_at_) return *probed_at_ + settings_.header_timeout;
    }
    if (auto const end = window_end()) {
      double const windows = std::ceil((n - std::max(0.0, level)) / limit_) - 1;
      auto const at =
          *end + settings_.reset_buffer + std::chrono::duration_cast<duration>(window_ * std::max(0.0, windows));
      return test_or(at, n, passed, now);
    }
  }
  auto const at = now + duration_of_seconds(missing / inflow());
  auto const end = end_to_ask_at();
  return end && passed == 0 ? std::min(at, std::max(now, *end)) : at;
}

/// Where refusals alone show that nothing comes, it may come at the end of a window: then one request asks.
std::optional<time_point> budget::end_to_ask_at() const {
  if (shown_ || model() != refill::continuous || hidden_.patience() == duration::zero()) return std::nullopt;
  return boundary_after(hidden_.met_at()) + settings_.reset_buffer;
}

/// `at`, or when one may go earlier to see whether it is a bucket after all.
time_point budget::test_or(time_point at, double n, double passed, time_point now) {
  if (passed > 0 || belief_ != belief::doubted_window || assumed_) return at;
  auto due = test_.due(n, {.level = levels_.level(), .shown_at = shown_at_, .limit = limit_, .rate = rate()});
  auto const latest = at - window_ / evidence_part;  // near the end, it would tell nothing
  if (!due || std::max(now, *due) >= latest) return at;
  *due += std::chrono::duration_cast<duration>(test_.delay() * (latest - *due));
  if (*due <= now) test_offered_ = {now, n};
  return std::max(now, *due);
}

outlook budget::ahead(time_point now) {
  advance(now);
  auto const end = window_end();
  bool const ends = model() == refill::window && end;
  auto const moves = model() == refill::window && !end ? refill::continuous : model();
  double level = assumed_ ? limit_ - taken_since_reset() : levels_.level();
  if (model() == refill::sliding) level -= log_.fresh();
  outlook result({.model = moves,
                  .level = level + (level < capacity() ? 0 : overflow_),
                  .capacity = capacity(),
                  .rate = model() == refill::continuous ? inflow() : rate(),
                  .kept = kept(),
                  .window = window_,
                  .window_end = ends ? std::max(now, *end + settings_.reset_buffer) : now,
                  .window_start = window_start_,
                  .used_part = charged_.value()},
                 now);
  if (model() == refill::sliding) log_.for_each_return([&](double n, time_point at) { result.comes_back(n, at); });
  return result;
}

/// Where few requests make up the limit, there are few headers to learn from, and one refusal may be a matter of
/// clocks.
bool budget::few_in_limit(double n) const {
  return limit_ < fewest_in_limit * n;
}

/// What is left if there was no refill since the last header.
double budget::certain_level(time_point now) const {
  return levels_.level() - inflow() * seconds_of(now - shown_at_);
}

/// Before anything tells that there is refill, near the end of what is there without any: not before the last answer
/// could show some.
time_point budget::certain_at(double n, time_point now) const {
  bool const open = belief_ == belief::assumed_bucket || belief_ == belief::reassumed_bucket;
  if (!open || !shown_ || gaps_ >= most_gaps) return now;
  // Where few requests make up the limit, the gaps would cost more than a refusal.
  if (few_in_limit(n) || certain_level(now) >= last_certain * n) return now;
  auto const gap = std::clamp(duration_of_seconds(n / rate()), telling_gap, longest_gap);
  return std::max(now, taken_at_ + gap);
}

/// Where only refusals show a limit, nothing would tell that there is more. Once it is used up without a refusal for
/// long, one request more is tried, then two, and so on.
void budget::try_more(double n, time_point now) {
  if (!only_refusals_show() || now - told_at_ < snapshot_lifetime || levels_.level() > 2 * n) return;
  raised_ = std::max(n, 2 * raised_);
  limit_ += raised_;
  levels_.refill(raised_);
  told_at_ = now - snapshot_lifetime + window_;
}

budget::mark budget::take(double n, time_point now) {
  advance(now);
  bool const at_once = model() != refill::continuous;
  double const before = limit_;
  hidden_.taken(n, levels_.level(), at_once, now);
  follow_hidden_limit();
  if (at_once) levels_.refill(limit_ - before);
  if (auto const end = end_to_ask_at(); end && now >= *end) levels_.lower(std::min(0.0, levels_.level() - n));
  try_more(n, now);
  bool const tests = test_offered_ == std::pair{now, n};
  auto const level = levels_.take(n, now);
  if (tests) test_.sent(level.sequence, levels_.level() + rate() * seconds_of(now - shown_at_) / 2, window_, now);
  overflow_ = 0;
  spent_ += n;
  log_.add(n, now);
  if (now >= taken_at_ + telling_gap && certain_at(n, taken_at_) > taken_at_) ++gaps_;
  taken_at_ = now;
  if (assumed_ && !probed_at_) probed_at_ = now;
  return {.level = level, .spent = spent_, .epoch = epoch_};
}

void budget::give_back(const mark& m, double n, time_point taken, time_point now) {
  advance(now);
  double const off_log = log_.give_back(n, taken);
  if (model() == refill::sliding) {
    n = off_log;  // what has left the log has come back already
  } else if (m.epoch != epoch_ && model() == refill::window) {
    suspicion_.refunds += n;
    return;  // taken from a window that is over
  }
  levels_.refund(n, now);
  levels_.cap(capacity());
  spent_ -= n;
}

void budget::correct(const mark& m, double by, time_point taken, time_point now) {
  if (!forget(m, by, taken, now)) return;
  levels_.correct(m.level, by);
  levels_.cap(capacity());
}

void budget::untake(const mark& m, double n, time_point taken, time_point now) {
  if (!forget(m, n, taken, now)) return;
  levels_.untake(m.level, n);
  levels_.cap(capacity());
}

/// `n` of what `m` took was never charged: it is neither spent nor in the log. False: it was taken from a window that
/// is over, and has been given back.
bool budget::forget(const mark& m, double n, time_point taken, time_point now) {
  if (m.epoch != epoch_) {
    give_back(m, n, taken, now);
    return false;
  }
  advance(now);
  log_.give_back(n, taken);
  spent_ -= n;
  return true;
}

bool budget::surprised_by(double remaining, const mark& m, double n) const {
  if (m.epoch != epoch_) return false;
  double const doubt = n < headroom::fewest_tokens ? doubted_requests : doubted_share * n + rounding;
  auto const off = [&](double expected) { return std::abs(remaining - expected) > doubt; };
  return off(levels_.level_after(m.level)) && !(assumed_ && !off(limit_ - (m.spent - spent_at_reset_)));
}

void budget::observe_copy(const mark& m, time_point sent, time_point now) {
  advance(now);
  told_at_ = now;
  if (m.epoch == epoch_) levels_.not_shown(m.level, sent);
}

double budget::observe(const mark& m, double n, const limit_snapshot& s, time_point sent, time_point now,
                       unsigned overlap, fate became) {
  advance(now);
  bool const charged = became == fate::charged;
  if (s.limit || s.remaining) {
    told_at_ = now;
    omitted_ = false;
  }
  if (s.limit) set_told_limit(static_cast<double>(*s.limit));
  raised_ = 0;
  if (s.remaining) highest_ = static_cast<double>(*s.remaining);
  if (charged && s.remaining && test_.is_under_way(m.level.sequence))
    judge_test(static_cast<double>(*s.remaining), now);
  // A header from before the last reset says nothing about what came after it.
  if (m.epoch != epoch_ && m.epoch != 0) return 0;
  // Nought may be the word of one who does not know.
  if (s.reset && *s.reset > duration::zero()) observe_reset(s, sent, now, charged);
  double residual = 0;
  if (s.remaining) {
    double const after = static_cast<double>(*s.remaining) - (charged ? 0 : n);
    bool const jumped = assumed_;
    bool const prompt = now - sent <= settings_.header_timeout;
    if (unjudged_ && prompt && m.epoch != 0 && charged) judge_reset(m, after, sent);
    assumed_ = false;
    auto const then = m.epoch == 0 ? levels_.unknown() : m.level;
    residual = after - levels_.level_after(then);
    // Refused although it should have fitted: less is there than headers and clocks make us think.
    if (became == fate::refused && m.epoch != 0 && levels_.level_after(then) >= 0) widen_margin(n);
    double const less = levels_.observe(then, after, sent, now);
    double const likely = n * (1 + overlap);  // beyond, it is about others
    if (m.epoch != 0 && !jumped) charged_.count_surprise(std::clamp(less, -likely, likely));
    levels_.cap(capacity());
    if (charged && m.epoch != 0) judge_sliding(m, n, after, sent);
    // What is not there is on its way back. A header may count others or not, so it is believed in part.
    if (model() == refill::sliding && log_.sum() > 0 && m.epoch != 0) {
      double const off = after - (capacity() - log_.sum() + spent_ - m.spent);
      log_.scale(std::clamp(1 - off / (2 + 2 * overlap) / log_.sum(), 0.2, 5.0));
    }
    shown_at_ = std::max(shown_at_, sent);
    if (m.epoch != 0 && sent >= evidence_since_) {
      evidence_.add(m.spent, after, sent, rounding + n * (misjudged + misplaced * overlap));
      learn_from_headers(now);
    }
  }
  reported_ = reported_ || s.limit || s.remaining;
  shown_ = shown_ || s.remaining;
  answers_show_ = answers_show_ || (s.remaining && charged);
  return residual;
}

}  // namespace cooldown
