#include "cooldown/schedule/routing.hpp"

#include <algorithm>
#include <utility>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

// Longer than any wait, and half of it can be added to another without overflow.
constexpr duration never = duration::max() / 2;

// Another account of the same upstream is no loss to the request; a smaller gain may be an error of the forecast.
constexpr duration account_gain = 100ms;

// Forecasts change with each answer, but asking costs a forecast at each destination. A request asks several times in
// its remaining wait.
constexpr int times_asked = 4;
constexpr duration least_between = 100ms;
constexpr duration most_between = 5s;

class chooser {
 public:
  chooser(const routing_rules& rules, const request_to_route& request) : rules_(rules), request_(request) {}

  std::size_t destination() const {
    auto const home = best([this](const offer& o) { return o.upstream == first_upstream(); });
    if (!home) return fallback();
    auto to = *home;
    if (too_long(to)) {
      auto const other = best([&](const offer& o) { return o.upstream != at(*home).upstream; });
      if (other && wait(*other) + gain(*home, *other) <= wait(*home)) to = *other;
    }
    auto const cached = request_.cached_at;
    if (!request_.waits_at && cached && serves(at(*cached)) && wait(*cached) < wait(to) + rules_.min_gain)
      return *cached;
    auto const now_at = request_.waits_at;
    bool const stays = now_at && serves(at(*now_at)) && wait(to) + gain(*now_at, to) > wait(*now_at);
    return stays ? *now_at : to;
  }

  std::optional<duration> ask_again(std::size_t to) const {
    if (request_.offers.size() == 1 || (!request_.waits_at && wait(to) <= duration::zero())) return std::nullopt;
    auto soon = std::clamp(wait(to) / times_asked, least_between, most_between);
    if (!rules_.spill_after) return soon;
    for (auto const limit : {*rules_.spill_after, *rules_.spill_after + rules_.min_gain})
      if (limit > request_.waited) soon = std::min(soon, limit - request_.waited);
    return soon;
  }

 private:
  const offer& at(std::size_t i) const { return request_.offers[i]; }
  duration wait(std::size_t i) const { return at(i).wait.value_or(never); }

  bool serves(const offer& o) const { return !rules_.next_on_failure || (o.usable && o.wait); }

  /// Of those that serve it.
  std::size_t first_upstream() const {
    for (auto const& o : request_.offers)
      if (serves(o)) return o.upstream;
    return 0;
  }

  /// The one that is ready first; of several, the one that has been idle longest, or the preferred one.
  template <class Of>
  std::optional<std::size_t> best(Of of) const {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < request_.offers.size(); ++i) {
      if (!serves(at(i)) || !of(at(i))) continue;
      if (!found || is_better(i, *found)) found = i;
    }
    return found;
  }
  bool is_better(std::size_t a, std::size_t b) const {
    if (wait(a) != wait(b) || at(a).upstream != at(b).upstream) return wait(a) < wait(b);
    return at(a).last_used < at(b).last_used;
  }

  /// If it waits for this destination.
  bool too_long(std::size_t i) const { return rules_.spill_after && wait(i) > *rules_.spill_after - request_.waited; }

  /// Who has waited longer than all rules allow has had forecasts that were wrong: any gain is enough.
  bool overdue() const { return rules_.spill_after && request_.waited >= *rules_.spill_after + rules_.min_gain; }

  /// What a request has to gain to go from one to the other.
  duration gain(std::size_t from, std::size_t to) const {
    if (from == to) return duration::zero();
    bool const same = at(from).upstream == at(to).upstream;
    return same || overdue() ? std::min(account_gain, rules_.min_gain) : rules_.min_gain;
  }

  /// None serves it: it stays, or goes where it is rejected rather than where it fails.
  std::size_t fallback() const {
    if (request_.waits_at) return *request_.waits_at;
    auto const usable = std::find_if(request_.offers.begin(), request_.offers.end(), [](auto& o) { return o.usable; });
    return usable == request_.offers.end() ? 0 : static_cast<std::size_t>(usable - request_.offers.begin());
  }

  const routing_rules& rules_;
  const request_to_route& request_;
};

}  // namespace

route choose(const routing_rules& rules, const request_to_route& request) {
  chooser const c(rules, request);
  auto const to = c.destination();
  return {to, c.ask_again(to)};
}

}  // namespace cooldown
