#include "cooldown/sim/meter.hpp"

#include <gtest/gtest.h>

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr nanoseconds no_wall{0};

std::unique_ptr<meter> per_minute(refill_rule rule, std::int64_t limit, nanoseconds wall = no_wall,
                                  std::int64_t foreign = 0) {
  return make_meter(rule, limit, 1min, wall, foreign);
}

TEST(bucket_meter, starts_full_and_refills_continuously) {
  const auto bucket = per_minute(refill_rule::bucket, 60);
  bucket->charge(60, {1, 0s});
  EXPECT_EQ(bucket->remaining(0s), 0);
  EXPECT_EQ(bucket->remaining(999'999'999ns), 0);
  EXPECT_EQ(bucket->remaining(1s), 1);
  EXPECT_EQ(bucket->remaining(30s), 30);
  EXPECT_EQ(bucket->remaining(10min), 60) << "never above the limit";
}

TEST(bucket_meter, says_the_exact_nanosecond_at_which_an_amount_fits) {
  const auto bucket = per_minute(refill_rule::bucket, 7);
  bucket->charge(7, {1, 0s});
  // One of seven in a minute takes 8571428571.43 ns.
  EXPECT_EQ(bucket->ready_at(1, 0s), 8'571'428'572ns);
  EXPECT_EQ(bucket->ready_at(7, 0s), 60s);
  EXPECT_EQ(bucket->ready_at(8, 0s), std::nullopt);
  EXPECT_EQ(bucket->ready_at(1, 20s), 20s);
}

TEST(bucket_meter, resets_when_full) {
  const auto bucket = per_minute(refill_rule::bucket, 60000);
  EXPECT_EQ(bucket->reset_after(0s), 0s);
  bucket->charge(15000, {1, 0s});
  EXPECT_EQ(bucket->reset_after(0s), 15s);
  EXPECT_EQ(bucket->reset_after(5s), 10s);
}

TEST(bucket_meter, refunds_up_to_the_limit_and_charges_below_zero) {
  const auto bucket = per_minute(refill_rule::bucket, 100);
  bucket->charge(100, {1, 0s});
  bucket->correct(-80, {1, 0s}, 0s);
  EXPECT_EQ(bucket->remaining(0s), 80);
  bucket->correct(-80, {1, 0s}, 0s);
  EXPECT_EQ(bucket->remaining(0s), 100);
  bucket->correct(150, {1, 0s}, 0s);
  EXPECT_EQ(bucket->remaining(0s), 0);
  EXPECT_EQ(bucket->ready_at(50, 0s), 60s) << "a debt of 50 is paid off first";
}

TEST(bucket_meter, shares_its_refill_with_a_foreign_consumer) {
  const auto bucket = per_minute(refill_rule::bucket, 60, no_wall, 30);
  EXPECT_EQ(bucket->remaining(1h), 60);
  bucket->charge(60, {1, 1h});
  EXPECT_EQ(bucket->ready_at(30, 1h), 1h + 1min);
}

TEST(bucket_meter, is_drained_by_a_foreign_consumer_that_takes_more_than_the_limit) {
  const auto bucket = per_minute(refill_rule::bucket, 60, no_wall, 120);
  EXPECT_EQ(bucket->remaining(30s), 30);
  EXPECT_EQ(bucket->remaining(1h), 0);
  EXPECT_EQ(bucket->ready_at(1, 1h), std::nullopt);
}

TEST(bucket_meter, keeps_what_was_used_when_its_limit_changes) {
  const auto bucket = per_minute(refill_rule::bucket, 100);
  bucket->charge(70, {1, 0s});
  bucket->set_limit(200, 0s);
  EXPECT_EQ(bucket->remaining(0s), 130);
  bucket->set_limit(50, 0s);
  EXPECT_EQ(bucket->remaining(0s), 0);
  EXPECT_EQ(bucket->ready_at(50, 0s), 60s);
}

TEST(bucket_meter, stays_exact_with_a_large_daily_limit) {
  const auto bucket = make_meter(refill_rule::bucket, 1'000'000'000'000, 24h, no_wall, 0);
  bucket->charge(1'000'000'000'000, {1, 0s});
  EXPECT_EQ(bucket->remaining(12h), 500'000'000'000);
  EXPECT_EQ(bucket->ready_at(1'000'000'000'000, 12h), 24h);
}

// 2025-10-09 14:49:48.617132903 UTC: 11.38 s before the end of a minute, 33011.38 s before midnight.
constexpr nanoseconds captured_wall = 1'760'021'388s + 617'132'903ns;

TEST(window_meter, is_aligned_to_the_wall_clock) {
  const auto minute = make_meter(refill_rule::window, 60, 1min, captured_wall, 0);
  const auto day = make_meter(refill_rule::window, 60, 24h, captured_wall, 0);
  EXPECT_EQ(minute->reset_after(0s), 11'382'867'097ns);
  EXPECT_EQ(day->reset_after(0s), 33'011'382'867'097ns);
}

TEST(window_meter, refills_at_once_at_the_end_of_the_window) {
  const auto window = per_minute(refill_rule::window, 60, 48s);
  window->charge(60, {1, 5s});
  EXPECT_EQ(window->remaining(5s), 0);
  EXPECT_EQ(window->ready_at(1, 5s), 12s);
  EXPECT_EQ(window->remaining(12s - 1ns), 0);
  EXPECT_EQ(window->remaining(12s), 60);
  EXPECT_EQ(window->reset_after(12s), 60s);
}

TEST(window_meter, refunds_only_into_the_window_that_was_charged) {
  const auto window = per_minute(refill_rule::window, 100);
  window->charge(100, {1, 10s});
  window->correct(-60, {1, 10s}, 59s);
  EXPECT_EQ(window->remaining(59s), 60);
  window->charge(50, {2, 61s});
  window->correct(-40, {1, 10s}, 62s);
  EXPECT_EQ(window->remaining(62s), 50);
}

TEST(window_meter, lets_a_foreign_consumer_take_its_part_of_each_window) {
  const auto window = per_minute(refill_rule::window, 60, no_wall, 30);
  EXPECT_EQ(window->remaining(20s), 50);
  EXPECT_EQ(window->ready_at(51, 20s), 60s);
  window->charge(50, {1, 20s});
  EXPECT_EQ(window->remaining(40s), 0);
  EXPECT_EQ(window->remaining(60s), 60);
}

TEST(sliding_meter, forgets_a_charge_exactly_one_window_later) {
  const auto sliding = per_minute(refill_rule::sliding, 10);
  sliding->charge(4, {1, 1s});
  sliding->charge(6, {2, 2s});
  EXPECT_EQ(sliding->remaining(2s), 0);
  EXPECT_EQ(sliding->ready_at(4, 2s), 61s);
  EXPECT_EQ(sliding->ready_at(5, 2s), 62s);
  EXPECT_EQ(sliding->reset_after(2s), 59s);
  EXPECT_EQ(sliding->remaining(61s - 1ns), 0);
  EXPECT_EQ(sliding->remaining(61s), 4);
  EXPECT_EQ(sliding->remaining(62s), 10);
  EXPECT_EQ(sliding->reset_after(62s), 0s);
}

TEST(sliding_meter, corrects_the_entry_of_the_request) {
  const auto sliding = per_minute(refill_rule::sliding, 100);
  sliding->charge(60, {1, 1s});
  sliding->charge(40, {2, 2s});
  sliding->correct(-50, {1, 1s}, 3s);
  EXPECT_EQ(sliding->remaining(3s), 50);
  EXPECT_EQ(sliding->remaining(61s), 60) << "the rest of the corrected entry leaves when it would have";
  sliding->correct(-10, {1, 1s}, 61s);
  EXPECT_EQ(sliding->remaining(61s), 60) << "what has left is not corrected any more";
}

TEST(sliding_meter, leaves_a_foreign_consumer_its_share) {
  const auto sliding = per_minute(refill_rule::sliding, 100, no_wall, 40);
  EXPECT_EQ(sliding->remaining(0s), 60);
  EXPECT_EQ(sliding->ready_at(61, 0s), std::nullopt);
}

TEST(sliding_meter, keeps_its_limit_when_its_log_is_merged) {
  constexpr int charges = 300'000;
  const auto sliding = make_meter(refill_rule::sliding, charges, 24h, no_wall, 0);
  for (int i = 1; i <= charges; ++i) sliding->charge(1, {static_cast<std::uint64_t>(i), nanoseconds{i}});
  EXPECT_EQ(sliding->remaining(nanoseconds{charges}), 0);
  EXPECT_GE(*sliding->ready_at(1, nanoseconds{charges}), 24h + 1ns) << "later than exact, never earlier";
  EXPECT_EQ(sliding->remaining(24h + nanoseconds{charges}), charges);
}

}  // namespace
}  // namespace cooldown::sim
