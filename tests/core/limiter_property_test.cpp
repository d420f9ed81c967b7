// A million random steps: whatever happens in whatever order, the books balance.
#include <map>
#include <random>
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
    auto const decided = limiter_->submit(t, now_);
    if (auto const* const g = std::get_if<go>(&decided)) {
      ASSERT_TRUE(tickets_.emplace(g->id, phase::released).second);
    } else if (auto const* const q = std::get_if<queued>(&decided)) {
      ASSERT_TRUE(tickets_.emplace(q->id, phase::waiting).second);
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
      unqueue(e.id);
      if (e.refusal) {
        tickets_.erase(found);
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
    sizes_[id] = bytes_[id];
    queued_bytes_ -= bytes_[id];
    bytes_.erase(id);
  }

  void erase(ticket_id id) {
    if (bytes_.contains(id)) unqueue(id);
    tickets_.erase(id);
    sizes_.erase(id);
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
  std::map<ticket_id, std::size_t> bytes_;  // of those that wait
  std::map<ticket_id, std::size_t> sizes_;  // of those that may come back
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

INSTANTIATE_TEST_SUITE_P(Seeds, LimiterProperty, ::testing::Values(1U, 2U, 3U, 4U));

}  // namespace
}  // namespace cooldown
