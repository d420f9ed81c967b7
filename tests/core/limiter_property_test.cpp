// A million random steps: whatever happens in whatever order, the books balance.
#include <map>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "cooldown/core/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

#ifdef __SANITIZE_ADDRESS__
constexpr int steps = 100'000;
#else
constexpr int steps = 1'000'000;
#endif

enum class phase { waiting, released };

class driver {
 public:
  explicit driver(unsigned seed) : random_(seed) {
    settings_.max_depth = 200;
    settings_.max_bytes = 100'000;
    settings_.quota.rpm_limit = 500;
    limiter_ = std::make_unique<cerebras_limiter>(settings_);
  }

  void step() {
    now_ += std::chrono::microseconds{pick(0, 40'000)};
    if (pick(0, 5000) == 0) now_ += std::chrono::minutes{pick(1, 30)};
    switch (pick(0, 7)) {
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
      default:
        break;
    }
    check();
  }

  void finish() {
    while (!tickets_.empty()) {
      auto const [id, where] = *tickets_.begin();
      limiter_->leave(id, now_);
      erase(id);
    }
    check();
    EXPECT_FALSE(limiter_->next_deadline(now_));
    for (auto const& s : limiter_->report(now_)) EXPECT_EQ(s.in_flight, 0U);
    // Whatever was learned: after two days of rest a small request goes at once.
    now_ += std::chrono::hours{49};
    for (int i = 0; i < 4; ++i) {
      model_ = "m" + std::to_string(i);
      ticket_facts t;
      t.scope = {0, model_};
      t.size.max_output_tokens = 50;
      auto const decided = limiter_->submit(t, now_);
      ASSERT_TRUE(std::holds_alternative<go>(decided)) << model_;
      limiter_->leave(std::get<go>(decided).id, now_);
    }
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  ticket_id any(phase where) {
    if (tickets_.empty()) return 0;
    auto i = tickets_.lower_bound(static_cast<ticket_id>(
        pick(static_cast<int>(tickets_.begin()->first), static_cast<int>(tickets_.rbegin()->first))));
    for (; i != tickets_.end(); ++i)
      if (i->second == where) return i->first;
    return 0;
  }

  void submit() {
    model_ = "m" + std::to_string(pick(0, 3));
    ticket_facts t;
    t.scope = {static_cast<std::uint64_t>(pick(0, 1)), model_};
    t.size.input_chars = static_cast<std::uint64_t>(pick(0, 20'000));
    if (pick(0, 3) > 0) t.size.max_output_tokens = static_cast<std::uint64_t>(pick(0, 5000));
    t.body_bytes = static_cast<std::size_t>(pick(0, 2000));
    t.max_wait = std::chrono::milliseconds{pick(0, 100'000)};
    t.client = static_cast<std::uint64_t>(pick(0, 3));
    t.urgency = static_cast<std::uint8_t>(pick(0, 7));
    t.weight = pick(1, 3);
    auto const line =
        model_ + std::to_string(t.scope.credential) + ':' + std::to_string(t.client) + ':' + std::to_string(t.urgency);
    auto const decided = limiter_->submit(t, now_);
    if (auto const* const g = std::get_if<go>(&decided)) {
      ASSERT_TRUE(tickets_.emplace(g->id, phase::released).second);
      EXPECT_TRUE(lines_[line].empty()) << "went before an older one of the same client and class";
      line_of_[g->id] = line;
    } else if (auto const* const q = std::get_if<queued>(&decided)) {
      ASSERT_TRUE(tickets_.emplace(q->id, phase::waiting).second);
      line_of_[q->id] = line;
      lines_[line].insert(q->id);
      EXPECT_GE(q->position, 1U);
      bytes_[q->id] = t.body_bytes;
      queued_bytes_ += t.body_bytes;
    }
    sizes_[decided.index() == 0 ? std::get<go>(decided).id : 0] = t.body_bytes;
  }

  void poll() {
    auto const deadline = limiter_->next_deadline(now_);
    for (auto const& e : limiter_->poll(now_)) {
      // Nothing happens before its announced time.
      EXPECT_TRUE(deadline && *deadline <= now_);
      auto const found = tickets_.find(e.id);
      ASSERT_NE(found, tickets_.end());
      ASSERT_EQ(found->second, phase::waiting);
      auto const oldest = *lines_[line_of_[e.id]].begin();
      EXPECT_TRUE(e.refusal || oldest == e.id) << "the oldest of a client and class goes first";
      unqueue(e.id);
      if (e.refusal) {
        tickets_.erase(found);
        line_of_.erase(e.id);
      } else {
        found->second = phase::released;
      }
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
    if (pick(0, 4) > 0) fields.push_back({"x-ratelimit-limit-tokens-minute", limit});
    if (pick(0, 4) > 0) fields.push_back({"x-ratelimit-remaining-tokens-minute", remaining});
    if (pick(0, 1) > 0) fields.push_back({"x-ratelimit-reset-tokens-minute", reset});
    if (pick(0, 9) == 0) fields.push_back({"retry-after", "3"});
    error_fields error;
    if (pick(0, 1) == 0) error.code = pick(0, 1) == 0 ? "token_quota_exceeded" : "request_quota_exceeded";
    auto const seen = limiter_->observe(id, {.status = status, .headers = fields, .error = error}, now_, wall_);
    if (seen.what == verdict::queue_again) {
      tickets_[id] = phase::waiting;
      lines_[line_of_[id]].insert(id);
      bytes_[id] = sizes_[id];
      queued_bytes_ += bytes_[id];
    }
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
    limiter_->configure(settings_, now_);
  }

  void unqueue(ticket_id id) {
    lines_[line_of_[id]].erase(id);
    sizes_[id] = bytes_[id];
    queued_bytes_ -= bytes_[id];
    bytes_.erase(id);
  }

  void erase(ticket_id id) {
    if (bytes_.contains(id)) unqueue(id);
    tickets_.erase(id);
    sizes_.erase(id);
    line_of_.erase(id);
  }

  void check() {
    ASSERT_EQ(limiter_->queue_length(), bytes_.size());
    ASSERT_EQ(limiter_->queued_bytes(), queued_bytes_);
    ASSERT_EQ(limiter_->in_flight(), tickets_.size() - bytes_.size());
  }

  std::mt19937 random_;
  limiter_settings settings_;
  std::unique_ptr<cerebras_limiter> limiter_;
  std::string model_;
  std::map<ticket_id, phase> tickets_;
  std::map<ticket_id, std::size_t> bytes_;    // of those that wait
  std::map<ticket_id, std::size_t> sizes_;    // of those that may come back
  std::map<ticket_id, std::string> line_of_;  // scope, client and class
  std::map<std::string, std::set<ticket_id>> lines_;
  std::size_t queued_bytes_ = 0;
  time_point now_{std::chrono::hours{1000}};
  wall_time wall_{std::chrono::hours{490'000}};
};

class LimiterProperty : public ::testing::TestWithParam<unsigned> {};

TEST_P(LimiterProperty, TheBooksBalance) {
  driver d(GetParam());
  for (int i = 0; i < steps / 4 && !::testing::Test::HasFailure(); ++i) d.step();
  d.finish();
}

// A bucket whose headers tell the truth: nothing is ever released that it would refuse.
TEST_P(LimiterProperty, NeverMoreThanTheQuotaAllows) {
  std::mt19937 random(GetParam());
  auto const pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  limiter_settings settings;
  settings.quota.rpm_limit = 1e9;
  settings.quota.tpm_limit = 60'000;
  settings.quota.replenishment = refill::continuous;
  cerebras_limiter limiter(settings);
  scope_name const scope{1, "m"};
  wall_time const wall{std::chrono::hours{490'000}};
  time_point now{std::chrono::hours{1000}};
  double level = 60'000;
  std::map<ticket_id, double> running;
  auto const released = [&](ticket_id id) {
    double const cost = limiter.cost_of(id);
    ASSERT_GE(level, cost) << "at " << seconds_of(now.time_since_epoch());
    level -= cost;
    running[id] = cost;
    auto const remaining = std::to_string(static_cast<std::uint64_t>(level));
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", "60000"},
                                   {"x-ratelimit-remaining-tokens-minute", remaining}};
    limiter.observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall);
  };
  for (int i = 0; i < steps / 40 && !HasFatalFailure(); ++i) {
    auto const pause = std::chrono::microseconds{pick(0, 400'000)};
    now += pause;
    level = std::min(60'000.0, level + 1000 * seconds_of(pause));
    if (!running.empty() && pick(0, 1) == 0) {
      auto const [id, cost] = *running.begin();
      auto const used = std::floor(cost * pick(10, 100) / 100);
      level = std::min(60'000.0, level + cost - used);
      limiter.settle(id, static_cast<std::uint64_t>(used), std::nullopt, now);
      running.erase(id);
    }
    ticket_facts t;
    t.scope = scope;
    t.client = static_cast<std::uint64_t>(pick(0, 3));
    t.size.max_output_tokens = static_cast<std::uint64_t>(pick(1, 2000));
    auto const decided = limiter.submit(t, now);
    if (auto const* const g = std::get_if<go>(&decided)) released(g->id);
    for (auto const& e : limiter.poll(now))
      if (!e.refusal) released(e.id);
  }
  EXPECT_GT(limiter.counters().released, 100U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LimiterProperty, ::testing::Values(1U, 2U, 3U, 4U));

}  // namespace
}  // namespace cooldown
