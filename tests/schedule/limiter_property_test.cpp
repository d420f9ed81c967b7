// A million random steps: whatever happens in whatever order, accounts balance, and no quota is exceeded.
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

#ifdef __SANITIZE_ADDRESS__
constexpr int steps = 100'000;
#else
constexpr int steps = 1'000'000;
#endif

enum class phase { waiting, released };

constexpr error_fields refusals[] = {
    {},
    {.message = "", .type = "", .code = "token_quota_exceeded"},
    {.message = "", .type = "", .code = "request_quota_exceeded"},
    {.message = "Tokens per minute limit exceeded", .type = "", .code = "token_quota_exceeded"},
    {.message = "Uncached tokens per hour limit exceeded", .type = "", .code = "token_quota_exceeded"},
    {.message = "Total tokens per day limit exceeded", .type = "", .code = "token_quota_exceeded"},
    {.message = "Requests per minute limit exceeded", .type = "", .code = "request_quota_exceeded"},
    {.message = "Requests per second limit exceeded", .type = "", .code = "request_quota_exceeded"},
    {.message = "We are experiencing high traffic", .type = "", .code = "queue_exceeded"},
    {.message = "", .type = "", .code = "insufficient_quota"},
};

class driver {
 public:
  explicit driver(unsigned seed) : random_(seed) {
    settings_.max_depth = 200;
    settings_.max_bytes = 100'000;
    settings_.quota.rpm_limit = 500;
    limiter_ = std::make_unique<cerebras_limiter>(settings_);
  }

  void step() {
    now_ += std::chrono::microseconds{pick(0, 40'000)} * tempo_;
    if (pick(0, 5000) == 0) now_ += std::chrono::minutes{pick(1, 30)};
    if (pick(0, 2000) == 0) tempo_ = pick(0, 1) == 0 ? 1 : pick(1, 60);  // from a storm to hardly anything
    switch (pick(0, 8)) {
      case 0:
      case 1:
        submit();
        break;
      case 2:
        poll();
        break;
      case 3:
        answer(200);
        break;
      case 4:
        answer(pick(0, 3) == 0 ? 429 : 500);
        break;
      case 5:
        settle();
        break;
      case 6:
        leave();
        break;
      case 7:
        reconfigure();
        break;
      case 8:
        look();
        break;
      default:
        break;
    }
    check();
  }

  void finish() {
    while (!tickets_.empty()) {
      auto const id = tickets_.begin()->first;
      limiter_->leave(id, now_);
      erase(id);
    }
    check();
    EXPECT_FALSE(limiter_->next_deadline(now_));
    EXPECT_EQ(submitted_, ended_);
    for (auto const& s : limiter_->report(now_)) {
      EXPECT_EQ(s.queued, 0U);
      EXPECT_EQ(s.in_flight, 0U);
      EXPECT_TRUE(s.waiting.empty());
    }
    // Who has been idle for long is admitted, whatever has been before.
    settings_.max_in_flight = 0;
    limiter_->configure(settings_, now_);
    now_ += 49h;
    for (auto const& s : limiter_->report(now_)) {
      ticket_facts t;
      t.scope = {s.credential, s.model};
      t.size.max_output_tokens = 1;
      t.max_wait = 0s;
      auto const decided = limiter_->submit(t, now_);
      ASSERT_TRUE(std::holds_alternative<go>(decided)) << s.model;
      limiter_->not_sent(std::get<go>(decided).id, now_);
    }
  }

 private:
  struct known {
    phase where = phase::waiting;
    std::size_t bytes = 0;
    std::tuple<std::uint64_t, std::string, std::uint64_t, std::uint8_t> line;  // credential, model, client, urgency
    bool refused = false;
  };

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  double odd_weight() {
    static constexpr std::array weights{0.0, -1.0, 1e300, std::numeric_limits<double>::quiet_NaN(),
                                        std::numeric_limits<double>::infinity()};
    return weights[static_cast<std::size_t>(pick(0, 4))];
  }

  ticket_id any(phase where) {
    if (tickets_.empty()) return 0;
    auto i = tickets_.lower_bound(static_cast<ticket_id>(
        pick(static_cast<int>(tickets_.begin()->first), static_cast<int>(tickets_.rbegin()->first))));
    for (; i != tickets_.end(); ++i)
      if (i->second.where == where) return i->first;
    return 0;
  }

  void submit() {
    model_ = "m" + std::to_string(pick(0, 3));
    ticket_facts t;
    t.scope = {static_cast<std::uint64_t>(pick(0, 1)), model_};
    t.size.input_chars = static_cast<std::uint64_t>(pick(0, pick(0, 3) == 0 ? 20'000 : 1000));
    if (pick(0, 9) > 0) t.size.max_output_tokens = static_cast<std::uint64_t>(pick(0, pick(0, 3) == 0 ? 5000 : 300));
    t.body_bytes = static_cast<std::size_t>(pick(0, 2000));
    t.max_wait = std::chrono::milliseconds{pick(0, 100'000)};
    t.client = static_cast<std::uint64_t>(pick(0, 4));
    t.urgency = static_cast<std::uint8_t>(pick(0, 2) == 0 ? pick(0, 9) : 3);
    t.weight = pick(0, 50) == 0 ? odd_weight() : 0.5 * pick(1, 6);
    auto const decided = limiter_->submit(t, now_);
    known k{.where = phase::released, .bytes = t.body_bytes, .line = {t.scope.credential, model_, t.client, t.urgency}};
    ticket_id id = 0;
    if (auto const* const g = std::get_if<go>(&decided)) {
      id = g->id;
      ++released_;
      EXPECT_TRUE(lines_[k.line].empty()) << "overtaken by a new one";
    } else if (auto const* const q = std::get_if<queued>(&decided)) {
      id = q->id;
      EXPECT_GE(q->position, 1U);
      EXPECT_GE(q->expected, now_);
      k.where = phase::waiting;
    } else {
      return;
    }
    ++submitted_;
    EXPECT_GT(id, last_) << "used before";
    last_ = id;
    auto& placed = tickets_.emplace(id, k).first->second;
    if (k.where == phase::waiting) enqueue(id, placed);
  }

  void poll() {
    auto const deadline = limiter_->next_deadline(now_);
    for (auto const& e : limiter_->poll(now_)) {
      // Nothing happens before its announced time.
      EXPECT_TRUE(deadline && *deadline <= now_);
      auto const found = tickets_.find(e.id);
      ASSERT_NE(found, tickets_.end());
      auto& k = found->second;
      ASSERT_EQ(k.where, phase::waiting);
      if (e.refusal) {
        erase(e.id);
        continue;
      }
      // Of those that were never refused, the first of its client in its class.
      if (!k.refused) {
        EXPECT_EQ(*lines_[k.line].begin(), e.id);
      }
      unqueue(e.id, k);
      k.where = phase::released;
      ++released_;
      ++waited_;
    }
    // A deadline in the past that releases nothing would be a busy loop.
    auto const next = limiter_->next_deadline(now_);
    EXPECT_TRUE(!next || *next > now_) << seconds_of(now_ - *next);
  }

  void answer(unsigned status) {
    auto const id = any(phase::released);
    if (id == 0) return;
    auto const limit = std::to_string(pick(1000, 60'000));
    auto const remaining = std::to_string(pick(0, 70'000));
    auto const reset = std::to_string(pick(0, 70)) + "." + std::to_string(pick(0, 999'999));
    std::vector<header_field> fields;
    if (status != 429 || pick(0, 1) == 0) {  // live accounts refuse without a word
      auto const* const over = pick(0, 9) == 0 ? "hour" : "minute";
      limit_name_ = std::string("x-ratelimit-limit-tokens-") + over;
      remaining_name_ = std::string("x-ratelimit-remaining-tokens-") + over;
      reset_name_ = std::string("x-ratelimit-reset-tokens-") + over;
      if (pick(0, 4) > 0) fields.push_back({limit_name_, limit});
      if (pick(0, 4) > 0) fields.push_back({remaining_name_, remaining});
      if (pick(0, 1) > 0) fields.push_back({reset_name_, reset});
      if (pick(0, 99) == 0) {
        fields.push_back({"x-ratelimit-limit-requests-day", "1000"});
        fields.push_back({"x-ratelimit-remaining-requests-day", pick(0, 1) == 0 ? "0" : "500"});
      }
    }
    if (pick(0, 9) == 0) fields.push_back({"retry-after", "3"});
    if (pick(0, 9) == 0) fields.push_back({"date", "Sun, 06 Nov 1994 08:49:37 GMT"});
    auto const& error = refusals[static_cast<std::size_t>(pick(0, static_cast<int>(std::size(refusals)) - 1))];
    auto const seen = limiter_->observe(id, {.status = status, .headers = fields, .error = error}, now_, wall_);
    if (seen.what != verdict::queue_again) return;
    auto& k = tickets_.at(id);
    k.where = phase::waiting;
    k.refused = true;
    enqueue(id, k);
    ++refused_;
  }

  void settle() {
    auto const id = any(phase::released);
    if (id == 0) return;
    auto const used = static_cast<std::uint64_t>(pick(0, 10'000));
    if (pick(0, 5) == 0) {
      limiter_->not_sent(id, now_);
    } else if (pick(0, 3) == 0) {
      limiter_->settle(id, std::nullopt, std::nullopt, now_);
    } else {
      limiter_->settle(id, used, used / 2, now_);
    }
    erase(id);
    // Once is all: what comes later for the same ticket changes nothing.
    if (pick(0, 9) == 0) limiter_->settle(id, used, used, now_);
    if (pick(0, 9) == 0) limiter_->leave(id, now_);
  }

  void leave() {
    auto const id = any(pick(0, 1) == 0 ? phase::released : phase::waiting);
    if (id == 0) return;
    limiter_->leave(id, now_);
    erase(id);
  }

  void reconfigure() {
    if (pick(0, 500) != 0) return;
    settings_.quota.use_headers = pick(0, 3) > 0;
    settings_.quota.header_fallback = pick(0, 3) > 0;
    settings_.quota.tpm_limit = pick(100, 100'000);
    settings_.max_in_flight = static_cast<std::size_t>(pick(0, 1) * pick(1, 50));
    settings_.ageing = std::chrono::seconds{pick(0, 30)};
    settings_.quota.replenishment.reset();
    if (pick(0, 3) == 0) settings_.quota.replenishment = static_cast<refill>(pick(0, 2));
    settings_.models.clear();
    if (pick(0, 1) == 0) {
      auto& limits = settings_.models["m1"].limit;
      limits[limit_id{resource::requests, window::day}] = pick(100, 10'000);
      limits[limit_id{resource::tokens, window::hour}] = pick(100'000, 1'000'000);
    }
    limiter_->configure(settings_, now_);
  }

  void look() {
    auto const id = any(phase::waiting);
    EXPECT_EQ(limiter_->standing_of(id, now_).has_value(), id != 0);
    if (id != 0) {
      auto const s = limiter_->standing_of(id, now_);
      EXPECT_GE(s->position, 1U);
      EXPECT_LE(s->position, 2 * bound_ + 1);
      EXPECT_GE(s->expected, now_);
    }
    if (pick(0, 20) != 0) return;
    std::size_t queued = 0;
    for (auto const& s : limiter_->report(now_)) {
      queued += s.queued;
      EXPECT_EQ(s.waiting.size(), s.queued);
      for (auto const& w : s.waiting) {
        EXPECT_EQ(tickets_.at(w.id).where, phase::waiting);
        EXPECT_EQ(w.client, std::get<2>(tickets_.at(w.id).line));
        EXPECT_GE(w.expected_in.value_or(1s), 0s);
      }
      for (auto const& b : s.budgets) {
        EXPECT_TRUE(std::isfinite(b.level));
        EXPECT_TRUE(std::isfinite(b.limit) && b.limit >= 1);
      }
    }
    EXPECT_EQ(queued, limiter_->queue_length());
  }

  void enqueue(ticket_id id, const known& k) {
    ++waiting_;
    queued_bytes_ += k.bytes;
    if (!k.refused) lines_[k.line].insert(id);
    bound_ = std::max(bound_, waiting_);
  }

  void unqueue(ticket_id id, const known& k) {
    --waiting_;
    queued_bytes_ -= k.bytes;
    lines_[k.line].erase(id);
  }

  void erase(ticket_id id) {
    auto const found = tickets_.find(id);
    if (found->second.where == phase::waiting) unqueue(id, found->second);
    tickets_.erase(found);
    ++ended_;
  }

  void check() {
    ASSERT_EQ(limiter_->queue_length(), waiting_);
    ASSERT_EQ(limiter_->queued_bytes(), queued_bytes_);
    ASSERT_EQ(limiter_->in_flight(), tickets_.size() - waiting_);
    ASSERT_EQ(limiter_->counters().released, released_);
    ASSERT_EQ(limiter_->counters().upstream_refusals, refused_);
  }

  std::mt19937 random_;
  limiter_settings settings_;
  std::unique_ptr<cerebras_limiter> limiter_;
  std::string model_, limit_name_, remaining_name_, reset_name_;
  std::map<ticket_id, known> tickets_;
  std::map<decltype(known::line), std::set<ticket_id>> lines_;  // that wait and were never refused
  ticket_id last_ = 0;
  int tempo_ = 1;
  std::size_t waiting_ = 0;
  std::size_t bound_ = 0;  // the most that ever waited
  std::size_t queued_bytes_ = 0;
  std::uint64_t submitted_ = 0, ended_ = 0, released_ = 0, waited_ = 0, refused_ = 0;
  time_point now_{std::chrono::hours{1000}};
  wall_time wall_{std::chrono::hours{490'000}};
};

class LimiterProperty : public ::testing::TestWithParam<unsigned> {};

TEST_P(LimiterProperty, TheBooksBalance) {
  driver d(GetParam());
  for (int i = 0; i < steps / 4 && !::testing::Test::HasFailure(); ++i) d.step();
  d.finish();
}

/// A provider that charges at admission what the limiter reserves, and gives back at the end what was not used: a
/// bucket, or windows that it announces. Requests reach it at once; its answers take their time and overtake each
/// other.
class perfect_provider {
 public:
  perfect_provider(refill model, unsigned seed) : model_(model), random_(seed) {
    limiter_settings s;
    s.quota.rpm_limit = 1e6;
    s.quota.tpm_limit = 1e9;
    s.quota.replenishment = model;
    limiter_ = std::make_unique<cerebras_limiter>(s);
    know();
  }

  void run(int releases) {
    while (static_cast<int>(gone_.size()) < releases && !::testing::Test::HasFailure()) {
      for (int wanted = 12 - static_cast<int>(limiter_->queue_length()); wanted > 0; --wanted) submit();
      auto next = limiter_->next_deadline(now_).value_or(now_ + 1s);
      if (!events_.empty()) next = std::min(next, events_.begin()->first);
      ASSERT_GE(next, now_);
      advance(next);
      if (!events_.empty() && events_.begin()->first <= now_) {
        auto const e = events_.begin()->second;
        events_.erase(events_.begin());
        e.settles ? settle(e.id) : answer(e.id);
      }
      for (auto const& e : limiter_->poll(now_)) {
        ASSERT_FALSE(e.refusal);
        meet(e.id);
      }
    }
    check_intervals();
  }

  /// Of what the provider had to give since the start, so much was used.
  double share_used() const {
    double used = 0;
    for (auto const& g : gone_) used += g.net;
    return used / (limit + rate * seconds_of(now_ - began));
  }

 private:
  static constexpr double limit = 60'000;
  static constexpr double rate = limit / 60;
  static constexpr scope_name scope{1, "m"};
  static constexpr time_point began{std::chrono::hours{1000}};
  static constexpr wall_time wall{std::chrono::hours{490'000}};
  struct in_flight {
    double cost = 0;
    double used = 0;
    std::size_t index = 0;  // in gone_
    double remaining = 0;
    duration reset{};
    time_point met;
  };
  struct event {
    ticket_id id;
    bool settles;
  };
  struct charge {
    time_point at;
    double cost;
    double net;  // after its refund
  };

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  duration to_reset() const { return 1min - (now_ - began) % 1min; }

  void advance(time_point to) {
    if (model_ == refill::continuous) {
      level_ = std::min(limit, level_ + rate * seconds_of(to - now_));
    } else if ((to - began) / 1min != (now_ - began) / 1min) {
      level_ = limit;
    }
    now_ = to;
  }

  void tell(double remaining, duration reset, time_point, auto use) {
    auto const left = std::to_string(static_cast<std::int64_t>(std::max(0.0, remaining)));
    auto const seconds = std::to_string(seconds_of(reset));
    std::vector<header_field> fields{{"x-ratelimit-limit-tokens-minute", "60000"},
                                     {"x-ratelimit-remaining-tokens-minute", left}};
    if (model_ == refill::window) fields.push_back({"x-ratelimit-reset-tokens-minute", seconds});
    use(header_view{fields});
  }

  void know() {
    tell(limit, to_reset(), now_, [&](header_view h) { limiter_->update_from_headers(scope, h, now_, wall); });
  }

  void submit() {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = static_cast<std::uint64_t>(pick(0, 20) == 0 ? pick(10'000, 40'000) : pick(50, 3000));
    t.client = static_cast<std::uint64_t>(pick(0, 3));
    t.urgency = static_cast<std::uint8_t>(pick(0, 3) == 0 ? pick(0, 7) : 3);
    t.weight = pick(1, 3);
    t.max_wait = 2h;
    auto const decided = limiter_->submit(t, now_);
    if (auto const* const g = std::get_if<go>(&decided)) {
      meet(g->id);
    } else {
      ASSERT_TRUE(std::holds_alternative<queued>(decided));
    }
  }

  void meet(ticket_id id) {
    double const cost = limiter_->cost_of(id);
    level_ -= cost;
    // The truth is never overdrawn.
    EXPECT_GE(level_, 0) << "after " << gone_.size() << " requests";
    in_flight const f{.cost = cost,
                      .used = std::floor(cost * pick(10, 100) / 100),
                      .index = gone_.size(),
                      .remaining = level_,
                      .reset = to_reset(),
                      .met = now_};
    flying_[id] = f;
    gone_.push_back({now_, cost, f.used});
    auto const answered = now_ + std::chrono::milliseconds{pick(1, 900)};
    events_.insert({answered, {id, false}});
    events_.insert({answered + std::chrono::milliseconds{pick(1, 5000)}, {id, true}});
  }

  void answer(ticket_id id) {
    auto const& f = flying_.at(id);
    // The fields were made when the request was met, and so was the time to the reset.
    auto const reset = std::max(duration::zero(), f.reset - (now_ - f.met));
    tell(f.remaining, reset, now_, [&](header_view h) {
      EXPECT_EQ(limiter_->observe(id, {.status = 200, .headers = h, .error = {}}, now_, wall).what, verdict::pass);
    });
  }

  void settle(ticket_id id) {
    auto const f = flying_.at(id);
    flying_.erase(id);
    bool const same_window = (f.met - began) / 1min == (now_ - began) / 1min;
    if (model_ == refill::continuous || same_window) level_ = std::min(limit, level_ + f.cost - f.used);
    limiter_->settle(id, static_cast<std::uint64_t>(f.used), std::nullopt, now_);
  }

  /// What went within any interval is no more than the limit and the refill allow. What is given back may go again at
  /// once, and only what is really used counts for good; reservations in flight are the tolerance.
  void check_intervals() const {
    constexpr double most_reserved = 60'000;
    for (std::size_t from = 0; from < gone_.size(); from += 37) {
      double sum = 0;
      for (std::size_t to = from; to < std::min(gone_.size(), from + 400); ++to) {
        sum += gone_[to].net;
        double const t = seconds_of(gone_[to].at - gone_[from].at);
        double const allowed = model_ == refill::continuous ? limit + rate * t : limit * (std::floor(t / 60) + 2);
        ASSERT_LE(sum, allowed + 1) << "from " << from << " to " << to;
      }
    }
    double reserved = 0;
    for (auto const& [id, f] : flying_) reserved += f.cost;
    EXPECT_LE(reserved, most_reserved + 1);
  }

  refill model_;
  std::mt19937 random_;
  std::unique_ptr<cerebras_limiter> limiter_;
  time_point now_ = began;
  double level_ = limit;
  std::map<ticket_id, in_flight> flying_;
  std::multimap<time_point, event> events_;
  std::vector<charge> gone_;
};

TEST_P(LimiterProperty, APinnedBucketIsNeverOverdrawnNorLeftUnused) {
  perfect_provider p(refill::continuous, GetParam());
  p.run(steps / 50);
  EXPECT_GE(p.share_used(), 0.9);
}

TEST_P(LimiterProperty, AnnouncedWindowsAreNeverOverdrawn) {
  perfect_provider p(refill::window, GetParam());
  p.run(steps / 50);
  EXPECT_GE(p.share_used(), 0.7);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LimiterProperty, ::testing::Values(1U, 2U, 3U, 4U));

}  // namespace
}  // namespace cooldown
