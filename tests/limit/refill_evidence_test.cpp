#include "cooldown/limit/refill_evidence.hpp"

#include <random>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

/// A limit that refills at `rate`, seen through requests of about 300 that we take for `misjudged` times as much.
refill_evidence::estimate seen(double rate, double misjudged, int samples, double noise = 0) {
  refill_evidence e(60s);
  std::mt19937 random(7);
  std::normal_distribution<double> off(0, 1);
  std::uniform_real_distribution<double> cost(100, 500), gap(0.1, 0.9);
  double t = 0, spent = 0, level = 50'000;
  for (int i = 0; i < samples; ++i) {
    double const n = cost(random), pause = gap(random);
    t += pause;
    level += rate * pause - n;
    spent += n * misjudged;
    e.add(spent, level + noise * off(random), start + duration_of_seconds(t), 30 + noise);
  }
  return e.rate().value();
}

TEST(RefillEvidence, TellsRefillFromNone) {
  auto const some = seen(1000, 1, 8);
  EXPECT_NEAR(some.rate, 1000, 3 * some.error);
  EXPECT_LT(some.error, 120);
  auto const none = seen(0, 1, 8);
  EXPECT_NEAR(none.rate, 0, 3 * none.error);
  EXPECT_LT(none.error, 120);
}

TEST(RefillEvidence, IsNotDeceivedByMisjudgedCosts) {
  auto const e = seen(1000, 1.1, 40);
  EXPECT_NEAR(e.rate, 1000, 60);
}

TEST(RefillEvidence, KnowsItsError) {
  int inside = 0;
  for (int samples = 10; samples < 60; ++samples) {
    auto const e = seen(500, 1, samples, 200);
    if (std::abs(e.rate - 500) < 3 * e.error) ++inside;
  }
  EXPECT_GE(inside, 48);
}

TEST(RefillEvidence, SaysNothingWithoutSamples) {
  refill_evidence e(60s);
  EXPECT_FALSE(e.rate());
  e.add(0, 100, start, 1);
  e.add(10, 90, start, 1);
  EXPECT_FALSE(e.rate());
}

TEST(RefillEvidence, AClearViewReplacesACrowd) {
  refill_evidence e(60s);
  for (int i = 0; i < 50; ++i) e.add(300.0 * i, 30'000 - 500.0 * i, start + i * 1ms, 5000);
  for (int i = 0; i < 4; ++i) e.add(15'000 + 100.0 * i, 10'000 + 300.0 * i, start + 1s + i * 500ms, 20);
  auto const r = e.rate();
  ASSERT_TRUE(r);
  EXPECT_NEAR(r->rate, 800, 60);
}

}  // namespace
}  // namespace cooldown
