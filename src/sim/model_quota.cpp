#include "cooldown/sim/model_quota.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown::sim {
namespace {

std::int64_t smallest_token_limit(const model_limits& limits) {
  std::int64_t smallest = 0;
  const auto consider = [&](std::int64_t limit) {
    if (limit > 0 && (smallest == 0 || limit < smallest)) smallest = limit;
  };
  for (const auto limit : {limits.tpm, limits.tph, limits.tpd}) consider(limit);
  for (const auto& [kind, value] : limits.others)
    if (kind.counts != resource::requests) consider(value);
  return smallest;
}

token_cost cost_of_parts(std::int64_t input, std::int64_t cached, std::int64_t output) {
  return {input - cached + output, input + output, input - cached, output};
}

constexpr int max_rounds = 64;

}  // namespace

std::int64_t amount_of(resource what, const token_cost& cost) {
  switch (what) {
    case resource::requests:
      return 1;
    case resource::tokens:
      return cost.uncached;
    case resource::total_tokens:
      return cost.total;
    case resource::input_tokens:
      return cost.input;
    case resource::output_tokens:
      return cost.output;
  }
  return 0;
}

model_quota::model_quota(const model_limits& limits, const quota_rules& rules)
    : limits_(limits), at_start_(limits), rules_(rules) {
  apply_limits(nanoseconds{0});
}

token_cost model_quota::cost_of(const request_facts& facts) const {
  const auto input = std::max<std::int64_t>(facts.input_tokens, 0);
  const auto cached = std::clamp<std::int64_t>(facts.cached_tokens, 0, input);
  if (rules_.cost == cost_rule::measured) {
    const auto output =
        std::clamp<std::int64_t>(facts.max_output.value_or(measured_output_cap), 0, measured_output_cap);
    if (input <= measured_free_input) return cost_of_parts(0, 0, output);
    return cost_of_parts(input, cached, output);
  }
  if (rules_.cost == cost_rule::at_end) return {};
  auto output = rules_.default_max_tokens;
  // A quarter of a small limit, so that an account below the default can be used without a maximum at all.
  if (const auto limit = smallest_token_limit(limits_); limit > 0) output = std::min(output, limit / 4);
  if (facts.max_output) output = std::max<std::int64_t>(*facts.max_output, 0);
  if (rules_.cost == cost_rule::completion_only) return cost_of_parts(0, 0, output);
  return cost_of_parts(input, cached, output);
}

admission_answer model_quota::admit(const request_facts& facts, nanoseconds now) {
  const auto cost = cost_of(facts);
  const budget* binding = nullptr;
  std::optional<nanoseconds> earliest = now;
  for (const auto& candidate : budgets_) {
    const auto ready = candidate.amounts->ready_at(amount_of(candidate.what, cost), now);
    if (!earliest || (ready && *ready <= *earliest)) continue;
    binding = &candidate;
    earliest = ready;
  }
  if (binding != nullptr) {
    ++counters_.refusals[{binding->what, binding->per}];
    auto retry_after = next_admission(cost, now);
    if (retry_after) *retry_after -= now;
    return refused{binding->what, binding->per, retry_after, readings(now)};
  }
  const reservation held{{++sequence_, now}, cost, generation_};
  for (const auto& each : budgets_) each.amounts->charge(amount_of(each.what, cost), held.stamp);
  ++counters_.admissions;
  ++counters_.in_flight;
  counters_.tokens_reserved += cost.uncached;
  if (!counters_.first_admission) counters_.first_admission = now;
  counters_.last_admission = now;
  return admitted{held, readings(now)};
}

void model_quota::settle(const reservation& held, const token_usage& actual, nanoseconds now) {
  if (held.generation != generation_) return;
  const bool input_counts = rules_.cost != cost_rule::completion_only && rules_.cost != cost_rule::at_end;
  const auto input = input_counts ? actual.input : 0;
  const auto cached = input_counts ? actual.cached : 0;
  const auto used = cost_of_parts(input, cached, actual.output);
  for (const auto& each : budgets_) {
    const auto difference = amount_of(each.what, used) - amount_of(each.what, held.cost);
    if (difference != 0) each.amounts->correct(difference, held.stamp, now);
  }
  --counters_.in_flight;
  counters_.tokens_used += used.uncached;
  counters_.input_tokens += actual.input;
  counters_.output_tokens += actual.output;
}

bool model_quota::take(std::int64_t requests, std::int64_t tokens, nanoseconds now) {
  const auto wanted = [&](const budget& each) { return each.what == resource::requests ? requests : tokens; };
  const bool fits = std::all_of(budgets_.begin(), budgets_.end(), [&](const auto& each) {
    const auto ready = each.amounts->ready_at(wanted(each), now);
    return wanted(each) == 0 || (ready && *ready <= now);
  });
  if (!fits) return false;
  const charge_stamp stamp{++sequence_, now};
  for (const auto& each : budgets_) {
    if (wanted(each) > 0) each.amounts->charge(wanted(each), stamp);
  }
  return true;
}

void model_quota::spend(limit_id which, std::int64_t amount, nanoseconds now) {
  if (auto* const found = find(which.counts, which.over)) found->amounts->charge(amount, {++sequence_, now});
}

std::optional<nanoseconds> model_quota::next_admission(const token_cost& cost, nanoseconds now) const {
  // While one limit is waited for, a foreign consumer may empty another one: ask again until nothing moves.
  for (int round = 0; round < max_rounds; ++round) {
    auto latest = now;
    for (const auto& each : budgets_) {
      const auto ready = each.amounts->ready_at(amount_of(each.what, cost), now);
      if (!ready) return std::nullopt;
      latest = std::max(latest, *ready);
    }
    if (latest == now) return now;
    now = latest;
  }
  return std::nullopt;
}

std::vector<quota_reading> model_quota::readings(nanoseconds now) {
  std::vector<quota_reading> result;
  result.reserve(budgets_.size());
  for (const auto& each : budgets_) {
    auto& amounts = *each.amounts;
    result.push_back({each.what, each.per, amounts.limit(), amounts.remaining(now), amounts.reset_after(now)});
  }
  return result;
}

void model_quota::set_limits(const model_limits& limits, nanoseconds now) {
  limits_ = limits;
  apply_limits(now);
}

void model_quota::scale_limits(double factor, nanoseconds now) {
  set_limits(scaled(at_start_, factor), now);
}

void model_quota::reset(nanoseconds now) {
  for (const auto& each : budgets_) each.amounts->refill(now);
  ++generation_;
  counters_ = {};
}

model_quota::budget* model_quota::find(resource what, window per) {
  const auto found = std::find_if(budgets_.begin(), budgets_.end(),
                                  [&](const auto& each) { return each.what == what && each.per == per; });
  return found == budgets_.end() ? nullptr : &*found;
}

void model_quota::apply(resource what, window per, std::int64_t limit, nanoseconds now) {
  auto* existing = find(what, per);
  if (limit <= 0) {
    if (existing != nullptr) budgets_.erase(budgets_.begin() + (existing - budgets_.data()));
    return;
  }
  if (existing != nullptr) {
    if (existing->amounts->limit() != limit) existing->amounts->set_limit(limit, now);
    return;
  }
  const bool counts_tokens = what != resource::requests;
  const auto foreign = counts_tokens ? rules_.foreign_tpm * (per.length() / window::minute.length()) : 0;
  auto amounts = make_meter(rules_.refill, limit, per.length(), rules_.wall_at_epoch, foreign);
  amounts->refill(now);
  budgets_.push_back({what, per, std::move(amounts)});
}

void model_quota::apply_limits(nanoseconds now) {
  const auto total = [&](std::int64_t tokens) {
    return std::llround(static_cast<double>(tokens) * limits_.total_factor);
  };
  apply(resource::requests, window::second, limits_.rps, now);
  apply(resource::requests, window::minute, limits_.rpm, now);
  apply(resource::requests, window::hour, limits_.rph, now);
  apply(resource::requests, window::day, limits_.rpd, now);
  apply(resource::tokens, window::minute, limits_.tpm, now);
  apply(resource::tokens, window::hour, limits_.tph, now);
  apply(resource::tokens, window::day, limits_.tpd, now);
  apply(resource::total_tokens, window::minute, total(limits_.tpm), now);
  apply(resource::total_tokens, window::hour, total(limits_.tph), now);
  apply(resource::total_tokens, window::day, total(limits_.tpd), now);
  for (const auto& [kind, value] : limits_.others) apply(kind.counts, kind.over, value, now);
}

}  // namespace cooldown::sim
