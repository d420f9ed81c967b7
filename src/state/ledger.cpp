#include "cooldown/state/ledger.hpp"

#include <utility>

namespace cooldown::state {
namespace {

// Clients choose the names of models, users and sessions: beyond so many rows between two writes, names are dropped.
constexpr std::size_t most_rows = 4'096;
constexpr std::size_t longest_name = 128;

std::string bounded(const std::string& name) {
  return name.substr(0, longest_name);
}

/// Without the status beside it, an error of the provider's has a word of its own.
std::string outcome_here(const observe::access_record& r) {
  auto const outcome = observe::outcome_of(r);
  return outcome == "answered" && r.status >= 400 ? "error" : std::string(outcome);
}

figure class_of(double waited) {
  if (waited <= 1) return figure::waits_within_1s;
  if (waited <= 5) return figure::waits_within_5s;
  if (waited <= 15) return figure::waits_within_15s;
  if (waited <= 60) return figure::waits_within_1m;
  return waited <= 300 ? figure::waits_within_5m : figure::waits_longer;
}

figures figures_of(const observe::access_record& r) {
  figures out{};
  auto const put = [&](figure which, auto value) { out[static_cast<std::size_t>(which)] = static_cast<double>(value); };
  put(figure::requests, 1);
  put(figure::prompt_tokens, r.prompt_tokens);
  put(figure::cached_tokens, r.cached_tokens);
  put(figure::completion_tokens, r.completion_tokens);
  put(figure::tokens, r.tokens);
  put(figure::reserved_tokens, r.cost);
  put(figure::upstream_refusals, r.upstream_refusals);
  if (r.waited > 0) {
    put(figure::waited, 1);
    put(figure::wait_seconds, r.waited);
    put(class_of(r.waited), 1);
  }
  return out;
}

}  // namespace

const std::array<const char*, figure_count> figure_names{
    "requests",        "prompt_tokens",    "cached_tokens",   "completion_tokens", "tokens",
    "reserved_tokens", "upstream_429s",    "waited",          "wait_seconds",      "waits_within_1s",
    "waits_within_5s", "waits_within_15s", "waits_within_1m", "waits_within_5m",   "waits_longer"};

void add(figures& into, const figures& more) {
  for (std::size_t i = 0; i < figure_count; ++i) into[i] += more[i];
}

void add(usage_rows& into, const usage_rows& more) {
  for (auto const& [key, amounts] : more) add(into[key], amounts);
}

void ledger::record(const observe::access_record& r, const std::string& upstream, wall_time now) {
  if (r.who.empty()) return;
  auto const minute = std::chrono::floor<std::chrono::minutes>(now).time_since_epoch();
  usage_key key{.minute = std::chrono::seconds{minute}.count(),
                .upstream = r.to.empty() ? upstream : r.to,
                .model = bounded(r.model),
                .client = bounded(r.who),
                .outcome = outcome_here(r)};
  if (rows_.size() >= most_rows) key.model = key.client = "other";
  add(rows_[std::move(key)], figures_of(r));
}

usage_rows ledger::take() {
  return std::exchange(rows_, {});
}

}  // namespace cooldown::state
