// A request is rejected as too large only by a limit that a header has shown lately.
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "cooldown/dialect/rate_limit_headers.hpp"

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using bench::call_ptr;

class size_limits final : public watch {
 public:
  void starts(cerebras_limiter& of, bench::surroundings& world) override {
    watch::starts(of, world);
    told_before_ = std::exchange(told_, {});
  }
  void goes_on() override { told_ = told_before_; }
  void hears(const call_ptr& c, const bench::rate_headers& headers, time_point now) override {
    look(c, bench::view(headers), now);
  }
  void refuses(const call_ptr& c, const bench::refusal& why, time_point now) override {
    look(c, bench::view(why.headers), now);
  }
  void turns_away(const call_ptr& c, bool submitting, bool retry_helps, time_point now) override {
    if (!submitting || retry_helps) return;
    ++rejected;
    auto const found = told_.find(c->model);
    if (found == told_.end()) {
      breach(now, "rejected as too large, and no limit was told");
    } else if (now - found->second > snapshot_lifetime) {
      breach(now, "rejected as too large for a limit of " + std::to_string(seconds_of(now - found->second)) + " s ago");
    }
  }

  unsigned rejected = 0;

 private:
  void look(const call_ptr& c, header_view fields, time_point now) {
    auto parsed = parse_rate_limit_headers(fields, world_now->wall());
    auto const* const whole = std::get_if<rate_limit_snapshot>(&parsed);
    auto const& told = whole != nullptr ? *whole : std::get<rate_limit_header_error>(parsed).rest;
    for (auto const& [id, shown] : told.limits)
      if (id.counts != resource::requests && shown.limit) told_[c->model] = now;
  }

  std::map<int, time_point> told_;  // a limit of tokens, the last time
  std::map<int, time_point> told_before_;
};

TEST(LawOfSize, NothingIsRejectedAsTooLargeForALimitThatIsNotKnownAndFresh) {
  unsigned rejected = 0;
  for (unsigned seed = first_law_seed(), last = seed + law_cases(15); seed < last; ++seed) {
    auto w = random_workload(seed);
    // Half of the requests near the limit, or beyond it.
    if (w.provider.limits.tpm > 0 && w.provider.limits.tpm < 100'000) {
      auto const most = static_cast<int>(w.provider.limits.tpm);
      w.groups.front().max_output = bench::range{1, most + most / 2};
      w.groups.front().input_chars = {100, 1000 + 2 * most};
    }
    size_limits eyes;
    run_watched(w, seed, eyes);
    rejected += eyes.rejected;
    EXPECT_TRUE(eyes.breaches.empty()) << line_about(w, seed) << "\n  " << eyes.breaches.front();
  }
  EXPECT_GT(rejected, 0U) << "nothing was tried";
}

}  // namespace
}  // namespace cooldown::testing
