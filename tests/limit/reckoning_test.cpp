// A level between headers about the past, in whatever order they arrive.
#include "cooldown/limit/reckoning.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

/// What a provider does: it meets requests in some order and tells each what is left.
class Reckoning : public ::testing::Test {
 protected:
  struct request {
    reckoning::mark mark;
    double n;
    time_point sent;
    double shown;
  };
  request send(double n, time_point now) { return {.mark = known.take(n, now), .n = n, .sent = now, .shown = 0}; }
  double meet(request& r) { return r.shown = truth -= r.n; }
  double answer(const request& r, time_point now) { return known.observe(r.mark, r.shown, r.sent, now); }

  double truth = 10'000;
  reckoning known{10'000};
};

TEST_F(Reckoning, AnswersWithoutAHeaderAreNotDeductedTwice) {
  auto silent = send(100, start);
  auto shown = send(100, start);
  meet(silent);
  meet(shown);
  known.answered_silently(silent.mark, silent.sent);
  answer(shown, start + 50ms);
  EXPECT_EQ(known.level(), truth);
  auto later = send(100, start + 1s);
  meet(later);
  answer(later, start + 1s + 50ms);
  EXPECT_EQ(known.level(), truth) << "nor are they added when they are certainly included";
}

TEST_F(Reckoning, AnswersWithoutAHeaderHideNoMoreThanTheyTook) {
  auto silent = send(100, start);
  auto shown = send(100, start);
  meet(silent);
  meet(shown);
  shown.shown = truth -= 500;  // others
  known.answered_silently(silent.mark, silent.sent);
  answer(shown, start + 50ms);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, TakesAndRefillsByItself) {
  known.take(300, start);
  EXPECT_EQ(known.level(), 9700);
  known.refill(200);
  EXPECT_EQ(known.level(), 9900);
  known.refund(50, start + 1s);
  EXPECT_EQ(known.level(), 9950);
  known.refill(-1000);  // others
  EXPECT_EQ(known.level(), 8950);
}

TEST_F(Reckoning, AHeaderThatSaysWhatIsKnownChangesNothing) {
  auto r = send(300, start);
  meet(r);
  EXPECT_EQ(answer(r, start + 1s), 0);
  EXPECT_EQ(known.level(), 9700);
}

TEST_F(Reckoning, ItTellsByHowMuchTheLevelChanges) {
  truth = 8000;
  auto r = send(300, start);
  meet(r);
  EXPECT_EQ(answer(r, start + 1s), -2000);
  EXPECT_EQ(known.level(), 7700);
  EXPECT_EQ(known.level_after(r.mark), 7700);
}

TEST_F(Reckoning, WhatWasSentAfterTheAnsweredRequestIsTakenOff) {
  truth = 8000;
  auto first = send(300, start);
  auto later = send(500, start + 1s);
  meet(first);
  answer(first, start + 2s);
  EXPECT_EQ(known.level(), 7200);
  meet(later);
  EXPECT_EQ(answer(later, start + 3s), 0);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, WhatWasSentLongBeforeTheAnsweredRequestIsInItsFigures) {
  truth = 8000;
  auto slow = send(500, start);  // met, but not answered: a long prompt
  auto quick = send(300, start + 1s);
  meet(slow);
  meet(quick);
  answer(quick, start + 2s);
  EXPECT_EQ(known.level(), 7200);
  EXPECT_EQ(answer(slow, start + 30s), 0);
  EXPECT_EQ(known.level(), 7200);
}

TEST_F(Reckoning, RefillSinceTheAnsweredRequestIsAdded) {
  truth = 8000;
  auto r = send(300, start);
  meet(r);
  known.refill(100);
  answer(r, start + 1s);
  EXPECT_EQ(known.level(), 7800);
}

TEST_F(Reckoning, AnyOrderOfAnswersToABurstLeadsToTheRightLevel) {
  // Five requests at once; the provider meets them in one order and answers arrive in another: all of both.
  std::vector<std::size_t> met(5);
  std::iota(met.begin(), met.end(), 0U);
  do {
    std::vector<std::size_t> answered(5);
    std::iota(answered.begin(), answered.end(), 0U);
    do {
      truth = 9000;  // somebody else has taken a thousand
      known = reckoning(10'000);
      std::vector<request> burst;
      for (int i = 0; i < 5; ++i) burst.push_back(send(100 + 50 * i, start + i * 1ms));
      for (auto const i : met) meet(burst[i]);
      for (auto const i : answered) {
        answer(burst[i], start + 1s);
        // Careful on the way: never above the truth.
        ASSERT_LE(known.level(), 10'000 - 1000);
      }
      ASSERT_DOUBLE_EQ(known.level(), truth);
    } while (std::next_permutation(answered.begin(), answered.end()));
  } while (std::next_permutation(met.begin(), met.end()));
}

TEST_F(Reckoning, RandomTrafficWithTravelTimesIsFollowed) {
  std::mt19937 random(7);
  auto const pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  constexpr double rate = 1000;  // per second
  for (int round = 0; round < 20; ++round) {
    struct event {
      std::size_t which;
      bool answer;
    };
    known = reckoning(1'000'000);
    truth = 1'000'000 - 50'000;  // what we do not know
    double refilled_known = 0, refilled_true = 0;
    std::multimap<time_point, event> events;
    std::vector<request> all(300);
    std::vector<std::pair<time_point, std::size_t>> sends;
    auto t = start;
    for (std::size_t i = 0; i < all.size(); ++i) sends.emplace_back(t += std::chrono::milliseconds{pick(0, 60)}, i);
    auto const run_until = [&](time_point until) {
      while (!events.empty() && events.begin()->first <= until) {
        auto const [at, e] = *events.begin();
        events.erase(events.begin());
        if (e.answer) {
          known.refill(rate * seconds_of(at - start) - refilled_known);
          refilled_known = rate * seconds_of(at - start);
          answer(all[e.which], at);
        } else {
          truth += rate * seconds_of(at - start) - refilled_true;
          refilled_true = rate * seconds_of(at - start);
          meet(all[e.which]);
        }
      }
    };
    for (auto const& [at, i] : sends) {
      run_until(at);
      known.refill(rate * seconds_of(at - start) - refilled_known);
      refilled_known = rate * seconds_of(at - start);
      all[i] = send(pick(10, 2000), at);
      auto const reached = at + std::chrono::milliseconds{pick(5, 120)};
      events.insert({reached, {i, false}});
      events.insert({reached + std::chrono::milliseconds{pick(5, 900)}, {i, true}});
    }
    auto const end = t + 2s;
    run_until(end);
    known.refill(rate * seconds_of(end - start) - refilled_known);
    truth += rate * seconds_of(end - start) - refilled_true;
    // Off by no more than what comes in on the way there.
    EXPECT_NEAR(known.level(), truth, 0.13 * rate) << "round " << round;
  }
}

TEST_F(Reckoning, ARefundLearnedBeforeTheHeaderIsNotCountedTwice) {
  auto done = send(1000, start);
  meet(done);
  answer(done, start + 1s);
  auto r = send(300, start + 2s);
  // The provider gives 400 back, and then meets the request; we hear of the refund before the header.
  truth += 400;
  meet(r);
  known.refund(400, start + 2s + 50ms);
  EXPECT_EQ(answer(r, start + 3s), 0);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, ARefundThatTheProviderGaveAfterMeetingTheRequestIsAddedOnceThereIsAnotherHeader) {
  auto done = send(1000, start);
  meet(done);
  answer(done, start + 1s);
  auto r = send(300, start + 2s);
  meet(r);
  truth += 400;
  known.refund(400, start + 2s + 50ms);
  answer(r, start + 3s);
  EXPECT_LE(known.level(), truth);  // taken for given before: careful
  EXPECT_GE(known.level(), truth - 400);
  // Requests that are clearly later put it right, when the doubtful one is not among the last.
  for (int i = 0; i < 4; ++i) {
    auto later = send(10, start + 4s + i * 1s);
    meet(later);
    answer(later, start + 4s + i * 1s + 500ms);
  }
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, ARefundLongAfterTheRequestWasSentIsAddedToItsHeader) {
  auto done = send(1000, start);
  meet(done);
  answer(done, start + 1s);
  auto r = send(300, start + 2s);
  meet(r);
  truth += 400;
  known.refund(400, start + 5s);
  EXPECT_EQ(answer(r, start + 6s), 0);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, ARefundLearnedAfterTheHeaderIsAdded) {
  auto first = send(1000, start);
  meet(first);
  answer(first, start + 1s);
  truth += 400;
  known.refund(400, start + 2s);
  EXPECT_EQ(known.level(), truth);
  auto second = send(100, start + 3s);
  meet(second);
  EXPECT_EQ(answer(second, start + 4s), 0);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, ManyRefundsAreRememberedWithinBounds) {
  auto late = send(100, start);
  meet(late);
  for (int i = 0; i < 10'000; ++i) {
    truth += 1;
    known.refund(1, start + 1s + i * 1ms);
  }
  answer(late, start + 60s);
  // Where the history is forgotten it errs to the careful side.
  EXPECT_LE(known.level(), truth);
  EXPECT_GE(known.level(), 10'000 - 100);
}

TEST_F(Reckoning, WhatWasNeverChargedComesBackWhileItIsPending) {
  truth = 9000;
  auto kept = send(300, start);
  auto undone = send(500, start + 1ms);
  meet(kept);
  answer(kept, start + 1s);
  EXPECT_EQ(known.level(), 8200);
  known.untake(undone.mark, undone.n);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, WhatCountedAsIncludedDoesNotComeBackTwice) {
  // Never charged, so that a header of a much later request does not have it either.
  auto undone = send(500, start);
  auto later = send(300, start + 1s);
  meet(later);
  answer(later, start + 2s);
  EXPECT_EQ(known.level(), truth);
  known.untake(undone.mark, undone.n);
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, UntakingTwiceOrWhatWasAnsweredGivesNothing) {
  auto r = send(500, start);
  auto other = send(100, start);
  known.untake(other.mark, 100);
  known.untake(other.mark, 100);
  EXPECT_EQ(known.level(), 9500);
  meet(r);
  answer(r, start + 1s);
  known.untake(r.mark, 500);
  EXPECT_EQ(known.level(), 9500);
}

TEST_F(Reckoning, LowerHoldsAgainstTheHeadersThatWereSeen) {
  auto r = send(300, start);
  meet(r);
  answer(r, start + 1s);
  known.lower(1000);
  EXPECT_EQ(known.level(), 8700);
  EXPECT_EQ(known.level_after(r.mark), 8700);
  // A header of a request sent at about the same time does not undo it.
  auto twin = r;
  twin.sent = start + 1ms;
  answer(twin, start + 2s);
  EXPECT_EQ(known.level(), 8700);
}

TEST_F(Reckoning, HeadersOfLaterRequestsUndoItInTime) {
  auto r = send(300, start);
  meet(r);
  answer(r, start + 1s);
  known.lower(1000);
  for (int i = 0; i < 4; ++i) {
    auto later = send(10, start + 2s + i * 1s);
    meet(later);
    answer(later, start + 2s + i * 1s + 500ms);
  }
  EXPECT_EQ(known.level(), truth);
}

TEST_F(Reckoning, AfterARestartTheOldWindowIsForgotten) {
  auto old = send(9000, start);
  meet(old);
  known.refund(100, start + 500ms);
  answer(old, start + 1s);
  auto flying = send(500, start + 2s);
  known.restart(10'000);
  truth = 10'000;
  EXPECT_EQ(known.level(), 10'000);
  known.untake(flying.mark, 500);  // of the old window
  EXPECT_EQ(known.level(), 10'000);
  auto fresh = send(200, start + 3s);
  meet(fresh);
  EXPECT_EQ(answer(fresh, start + 4s), 0);
  EXPECT_EQ(known.level(), 9800);
}

TEST_F(Reckoning, AFullBucketTakesNoMore) {
  known.cap(10'000);
  EXPECT_EQ(known.level(), 10'000);
  known.refill(500);
  known.cap(10'000);
  EXPECT_EQ(known.level(), 10'000);
  auto r = send(300, start);
  meet(r);
  EXPECT_EQ(answer(r, start + 1s), 0);
  EXPECT_EQ(known.level(), 9700);
}

TEST_F(Reckoning, WhatOverflowsIsNotAddedToAnOldHeaderEither) {
  auto r = send(300, start);
  meet(r);
  // A minute later it is full again, and then its header arrives.
  known.refill(1000);
  known.cap(10'000);
  EXPECT_EQ(known.level(), 10'000);
  answer(r, start + 60s);
  EXPECT_EQ(known.level(), 10'000);
}

TEST_F(Reckoning, AHeaderOfARequestSentBeforeAnythingWasKnownIsRead) {
  auto const before = known.unknown();
  EXPECT_EQ(before.sequence, 0U);
  EXPECT_EQ(known.observe(before, 7000, start, start + 1s), -3000);
  EXPECT_EQ(known.level(), 7000);
}

TEST_F(Reckoning, NobodyAccumulatesRoundingErrorsInFlight) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> size(0.1, 3);
  auto t = start;
  for (int i = 0; i < 100'000; ++i, t += 300ms) {
    auto r = send(size(random), t);
    meet(r);
    answer(r, t + 100ms);
    known.refill(r.n);
    truth += r.n;
  }
  EXPECT_NEAR(known.level(), 10'000, 1e-3);
}

TEST(ReckoningMemory, IsBoundedWhereNoHeaderEverComes) {
  reckoning r(1e9);
  auto now = start;
  for (int i = 0; i < 1'000'000; ++i) r.take(1, now += 10ms);
  EXPECT_LE(r.pending_requests(), 1024U);
  EXPECT_EQ(r.level(), 1e9 - 1e6);
}

TEST(ReckoningMemory, WhatIsRefusedComesBackHoweverManyWentSince) {
  reckoning r(1e6);
  auto const refused = r.take(100, start);
  for (int i = 0; i < 5000; ++i) r.take(1, start + 1s);
  r.untake(refused, 100);
  EXPECT_EQ(r.level(), 1e6 - 5000);
}

}  // namespace
}  // namespace cooldown
