#include "quota/outcome.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown::bench {
namespace {

constexpr figure_text texts[figure_count] = {
    {"share", "share", "share", 3, true},
    {"429/adm", "refusals_per_admission", "upstream_429_per_admission", 4, false},
    {"non-200", "non_200", "non_200", 0, false},
    {"lost", "lost", "lost", 0, false},
    {"admitted", "admitted", "admitted", 0, true},
    {"p50 s", "wait_p50_s", "p50_s", 2, false},
    {"p99 s", "wait_p99_s", "p99_s", 2, false},
    {"light p95 s", "light_wait_p95_s", "watched_p95_s", 2, false},
    {"Jain", "jain", "jain", 3, true},
    {"fc p50", "forecast_error_p50", "forecast_p50", 3, false},
    {"fc p90", "forecast_error_p90", "forecast_p90", 3, false},
    {"late p99 ms", "late_p99_ms", "late_p99_ms", 1, false},
    {"at once", "refused_at_once", "most_refused_at_once", 0, false},
    {nullptr, nullptr, "longest_s", 2, false},
    {nullptr, nullptr, "spilled", 0, true},
    {nullptr, nullptr, "sooner_at_first", 0, false},
};

constexpr double notable_forecast = 0.5;  // seconds; relative errors of shorter forecasts mean little

/// The smallest value that at least this part of all values does not exceed.
double percentile(std::vector<double> v, double p) {
  if (v.empty()) return not_applicable;
  auto const rank = static_cast<std::ptrdiff_t>(std::ceil(p * static_cast<double>(v.size())));
  auto const at = std::max<std::ptrdiff_t>(rank, 1) - 1;
  std::nth_element(v.begin(), v.begin() + at, v.end());
  return v[static_cast<std::size_t>(at)];
}

/// Divides `total` among clients by max-min fairness: no client gets more than it asked for, and none could get more
/// except from a poorer one.
std::vector<double> max_min(const std::vector<client_total>& clients, double total) {
  std::vector<std::size_t> order(clients.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  auto const wish = [&](std::size_t i) { return clients[i].endless ? total : clients[i].asked; };
  auto const modesty = [&](std::size_t i) { return wish(i) / clients[i].weight; };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return modesty(a) < modesty(b); });
  double weights = 0;
  for (auto const& c : clients) weights += c.weight;
  std::vector<double> given(clients.size());
  for (auto const i : order) {
    given[i] = std::min(total * clients[i].weight / weights, wish(i));
    total -= given[i];
    weights -= clients[i].weight;
  }
  return given;
}

template <class Choose>
figures combine(const std::vector<figures>& runs, Choose choose) {
  figures result;
  for (std::size_t i = 0; i < figure_count; ++i) {
    auto const f = static_cast<figure>(i);
    std::vector<double> values;
    for (auto const& each : runs) {
      if (!std::isnan(each[f])) values.push_back(each[f]);
    }
    if (!values.empty()) result[f] = choose(f, values);
  }
  return result;
}

}  // namespace

void outcome::waited(double seconds, bool watched) {
  waits.push_back(seconds);
  if (watched) watched_waits.push_back(seconds);
}

void outcome::was_forecast(double seconds, double actual) {
  if (seconds > notable_forecast) forecast_errors.push_back(std::abs(actual - seconds) / seconds);
}

void outcome::was_refused(time_point sent, time_point heard) {
  ++refused;
  if (burst_ == 0 || sent > burst_heard_) {
    burst_ = 0;
    burst_heard_ = heard;
  }
  most_refused_at_once = std::max(most_refused_at_once, ++burst_);
}

const figure_text& text_of(figure f) {
  return texts[static_cast<std::size_t>(f)];
}

double jain_index(const std::map<std::uint64_t, client_total>& clients) {
  std::map<int, std::vector<client_total>> by_model;
  for (auto const& each : clients) by_model[each.second.model].push_back(each.second);
  double sum = 0, squares = 0, n = 0;
  for (auto const& each : by_model) {
    double total = 0;
    for (auto const& c : each.second) total += c.tokens;
    auto const fair = max_min(each.second, total);
    for (std::size_t i = 0; i < fair.size(); ++i) {
      if (fair[i] <= 0) continue;
      auto const part = each.second[i].tokens / fair[i];
      sum += part;
      squares += part * part;
      ++n;
    }
  }
  return squares > 0 ? sum * sum / (n * squares) : not_applicable;
}

figures figures_of(const outcome& o, double best_tokens, bool unequal) {
  figures result;
  result[figure::share] = o.tokens / std::max(1.0, best_tokens);
  result[figure::refusals] =
      static_cast<double>(o.refused) / static_cast<double>(std::max<std::uint64_t>(1, o.admitted));
  result[figure::non_200] = static_cast<double>(o.non_200);
  result[figure::lost] = static_cast<double>(o.lost);
  result[figure::admitted] = static_cast<double>(o.admitted);
  result[figure::p50] = percentile(o.waits, 0.5);
  result[figure::p99] = percentile(o.waits, 0.99);
  result[figure::light_p95] = percentile(o.watched_waits, 0.95);
  if (!unequal) result[figure::jain] = jain_index(o.clients);
  result[figure::forecast_p50] = percentile(o.forecast_errors, 0.5);
  result[figure::forecast_p90] = percentile(o.forecast_errors, 0.9);
  result[figure::late_p99] = percentile(o.lateness, 0.99) * 1000;
  result[figure::at_once] = static_cast<double>(o.most_refused_at_once);
  result[figure::longest] = percentile(o.waits, 1);
  result[figure::spilled] = static_cast<double>(o.spilled);
  result[figure::sooner_at_first] = static_cast<double>(o.sooner_at_first);
  return result;
}

figures mean_of(const std::vector<figures>& runs) {
  return combine(runs, [](figure, const std::vector<double>& v) {
    double sum = 0;
    for (double const x : v) sum += x;
    return sum / static_cast<double>(v.size());
  });
}

figures worst_of(const std::vector<figures>& runs) {
  return combine(runs, [](figure f, const std::vector<double>& v) {
    return text_of(f).high_is_good ? *std::min_element(v.begin(), v.end()) : *std::max_element(v.begin(), v.end());
  });
}

}  // namespace cooldown::bench
