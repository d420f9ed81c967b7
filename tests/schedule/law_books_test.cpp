// Debits and credits: however a ticket ends, only what was used stays charged.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

constexpr double limit = 1e9;  // of everything: nobody waits for long
constexpr scope_name scope{1, "m"};

struct books {
  double at_least = 0;
  double at_most = 0;
  void add(double low, double high) {
    at_least += low;
    at_most += high;
  }
};

class clerk {
 public:
  clerk(unsigned seed, refill model, bool exactly) : random_(seed), exactly_(exactly) {
    limiter_settings s;
    s.max_in_flight = 40;
    s.quota.use_headers = false;
    s.quota.rpm_limit = s.quota.tpm_limit = limit;
    s.quota.replenishment = model;
    s.quota.limits.limit[{resource::requests, window::hour}] = limit;
    s.quota.limits.limit[{resource::tokens, window::hour}] = limit;
    s.quota.limits.limit[{resource::total_tokens, window::hour}] = limit;
    limiter_.configure(s, now_);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += std::chrono::milliseconds{pick(0, 1'000)};
      if (pick(0, 1) == 0) submit();
      for (auto const& e : limiter_.poll(now_)) move(e);
      if (!flying_.empty() && pick(0, 2) > 0) end(any(flying_));
      if (!waiting_.empty() && pick(0, 9) == 0) leave_the_queue();
    }
    while (!waiting_.empty() || !flying_.empty()) {
      while (!waiting_.empty()) leave_the_queue();
      if (!flying_.empty()) end(any(flying_));
    }
  }

  void wait(duration d) { now_ += d; }

  double level(resource r) {
    for (auto const& s : limiter_.report(now_))
      for (auto const& b : s.budgets)
        if (b.counts == r && b.over == window::hour) return b.level;
    return -1;
  }
  const cerebras_limiter& limiter() const { return limiter_; }
  books uncached, total, requests;

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  ticket_id any(const std::map<ticket_id, bool>& of) {
    return std::next(of.begin(), pick(0, static_cast<int>(of.size()) - 1))->first;
  }

  wall_time wall() const { return wall_time{now_.time_since_epoch() + 490'000h}; }

  void submit() {
    ticket_facts t;
    t.scope = scope;
    t.size.input_chars = static_cast<std::uint64_t>(pick(0, 5'000));
    t.size.max_output_tokens = static_cast<std::uint64_t>(pick(1, 3'000));
    t.client = static_cast<std::uint64_t>(pick(0, 3));
    t.urgency = static_cast<std::uint8_t>(pick(0, 7));
    t.max_wait = 1min;
    auto const decided = limiter_.submit(t, now_);
    if (auto const* const g = std::get_if<go>(&decided)) flying_[g->id] = false;
    if (auto const* const q = std::get_if<queued>(&decided)) waiting_[q->id] = false;
  }

  void move(const ticket_event& e) {
    waiting_.erase(e.id);
    if (!e.refusal) flying_[e.id] = false;
  }

  void leave_the_queue() {
    auto const id = any(waiting_);
    limiter_.leave(id, now_);
    waiting_.erase(id);
  }

  verdict answer(ticket_id id, unsigned status, const char* code) {
    return limiter_.observe(id, {.status = status, .headers = {}, .error = {"", "", code}}, now_, wall()).what;
  }

  /// The provider charges nothing for it.
  void refuse(ticket_id id, const char* code) {
    flying_.erase(id);
    if (answer(id, 429, code) == verdict::queue_again) {
      waiting_[id] = false;
    } else {
      limiter_.settle(id, 0, std::nullopt, now_);
    }
  }

  void end(ticket_id id) {
    switch (pick(0, exactly_ ? 6 : 9)) {
      case 0:  // it never got there
        limiter_.not_sent(id, now_);
        flying_.erase(id);
        return;
      case 1:
        limiter_.renew(id, now_);
        flying_.erase(id);
        waiting_[id] = false;
        return;
      case 2:
        return refuse(id, "queue_exceeded");
      case 3:
        return refuse(id, "insufficient_quota");
      case 4:
        answer(id, pick(0, 1) == 0 ? 400 : 503, "");
        limiter_.settle(id, 0, std::nullopt, now_);
        requests.add(1, 1);
        flying_.erase(id);
        return;
      case 5:
      case 6:
        return settle(id);
      default:
        return guess(id);
    }
  }

  void settle(ticket_id id) {
    if (pick(0, 1) == 0) answer(id, 200, "");
    auto const used = static_cast<std::uint64_t>(pick(0, 5'000));
    auto const prompt = used / 2;
    auto const cached = static_cast<std::uint64_t>(pick(0, static_cast<int>(prompt)));
    limiter_.settle(id, used, prompt, now_, cached);
    flying_.erase(id);
    requests.add(1, 1);
    total.add(static_cast<double>(used), static_cast<double>(used));
    uncached.add(static_cast<double>(used - cached), static_cast<double>(used - cached));
  }

  /// What it used nobody tells.
  void guess(ticket_id id) {
    auto const cost = limiter_.cost_of(id);
    switch (pick(0, 2)) {
      case 0:
        limiter_.leave(id, now_);
        break;
      case 1:
        limiter_.leave(id, now_, static_cast<std::uint64_t>(pick(0, 1'000)));
        break;
      default:
        limiter_.settle(id, std::nullopt, std::nullopt, now_);
    }
    flying_.erase(id);
    requests.add(1, 1);
    total.add(0, cost);
    uncached.add(0, cost);
  }

  std::mt19937 random_;
  bool exactly_;
  time_point now_{1000h};
  cerebras_limiter limiter_{limiter_settings{}};
  std::map<ticket_id, bool> waiting_, flying_;
};

void expect_booked(const char* what, const books& b, double level) {
  constexpr double rounding = 1e-3;
  EXPECT_GE(limit - level, b.at_least - rounding) << what;
  EXPECT_LE(limit - level, b.at_most + rounding) << what;
}

TEST(LawOfBooks, WhateverEndsATicketNothingButWhatWasUsedStaysBooked) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(20); seed < last; ++seed) {
    SCOPED_TRACE(seed);
    clerk c(seed, refill::window, seed % 2 == 0);  // within a window nothing comes back but credits
    c.run(3'000);
    expect_booked("requests", c.requests, c.level(resource::requests));
    expect_booked("uncached tokens", c.uncached, c.level(resource::tokens));
    expect_booked("total tokens", c.total, c.level(resource::total_tokens));
    EXPECT_EQ(c.limiter().in_flight() + c.limiter().queue_length() + c.limiter().queued_bytes(), 0U);
  }
}

TEST(LawOfBooks, WhatIsIdleForAWindowIsFull) {
  for (auto const model : {refill::continuous, refill::sliding})
    for (unsigned seed = first_law_seed(), last = seed + law_cases(5); seed < last; ++seed) {
      SCOPED_TRACE(seed);
      clerk c(seed, model, false);
      c.run(1'000);
      c.wait(61min);
      for (auto const r : {resource::requests, resource::tokens, resource::total_tokens})
        EXPECT_NEAR(c.level(r), limit, 1e-3);
    }
}

}  // namespace
}  // namespace cooldown::testing
