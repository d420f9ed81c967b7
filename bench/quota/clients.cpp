#include "quota/clients.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned sdk_repetitions = 2;
constexpr int longest_reply = 16'384;  // without a maximum
constexpr auto rest_after_loss = 1s;

int between(std::mt19937_64& random, range r) {
  return std::uniform_int_distribution<int>(r.low, r.high)(random);
}

bool chance(std::mt19937_64& random, double share) {
  return std::uniform_real_distribution<double>(0, 1)(random) < share;
}

int pareto(std::mt19937_64& random, range r, double exponent) {
  auto const u = 1 - std::uniform_real_distribution<double>(0, 1)(random);
  return static_cast<int>(std::min<double>(r.low * std::pow(u, -1 / exponent), r.high));
}

std::mt19937_64 seeded(unsigned seed, std::size_t index, unsigned purpose) {
  std::seed_seq s{seed, static_cast<unsigned>(index), purpose};
  return std::mt19937_64(s);
}

/// As OpenAI's SDKs: the time in the answer, if it is plausible; otherwise half a second, doubling to eight, minus up
/// to a quarter.
duration sdk_pause(unsigned repetitions, std::optional<duration> told, std::mt19937_64& random) {
  if (told && *told > 0s && *told <= 60s) return *told;
  auto const pause = std::min(0.5 * static_cast<double>(1U << std::min(repetitions, 4U)), 8.0);
  return duration_of_seconds(pause * std::uniform_real_distribution<double>(0.75, 1)(random));
}

}  // namespace

clients::clients(event_loop& loop, const workload& w, unsigned seed, hooks h)
    : loop_(loop), w_(w), hooks_(std::move(h)), jitter_(seeded(seed, 0, 3)) {
  std::uint64_t client = 0;
  for (auto const& group : w.groups) {
    if (group.one_client) ++client;
    for (int i = 0; i < group.connections; ++i) {
      if (!group.one_client) ++client;
      auto const index = connections_.size();
      connections_.push_back({&group, client, seeded(seed, index, 1), seeded(seed, index, 2), seeded(seed, index, 4)});
    }
  }
}

void clients::start() {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    switch (connections_[i].group->how) {
      case pace::closed:
        ask(i);
        break;
      case pace::poisson:
        ask_poisson(i);
        break;
      case pace::bursts:
        ask_in_bursts(i);
        break;
    }
  }
}

void clients::ask_poisson(std::size_t index) {
  auto const& g = *connections_[index].group;
  loop_.after(exponential(index, g.connections / g.rate), [this, index] {
    ask_poisson(index);
    ask(index);
  });
}

void clients::ask_in_bursts(std::size_t index) {
  ask(index);
  loop_.after(connections_[index].group->every, [this, index] { ask_in_bursts(index); });
}

duration clients::exponential(std::size_t index, double mean) {
  return duration_of_seconds(std::exponential_distribution<double>(1 / mean)(connections_[index].when));
}

call_ptr clients::make(std::size_t index) {
  auto& from = connections_[index];
  auto const& g = *from.group;
  auto c = std::make_shared<call>();
  c->serial = next_serial_++;
  c->group = &g;
  c->connection = index;
  c->client = from.client;
  c->model = g.model;
  c->began = loop_.now();
  auto const& told = w_.provider;
  auto const chars = g.tail ? pareto(from.random, g.input_chars, *g.tail) : between(from.random, g.input_chars);
  c->size.input_chars = static_cast<std::uint64_t>(chars);
  c->facts.input_tokens = static_cast<std::int64_t>(sim::tokens_in(told, chars, from.fate));
  c->size.images = static_cast<std::uint64_t>(g.images);
  c->facts.input_tokens += std::int64_t{g.images} * g.image_tokens;
  c->facts.cached_tokens = std::llround(static_cast<double>(c->facts.input_tokens) * g.cached.value_or(told.cached));
  c->size.choices = static_cast<std::uint64_t>(g.choices);
  auto most = longest_reply;
  if (g.max_output) {
    most = between(from.random, *g.max_output);
    c->size.max_output_tokens = static_cast<std::uint64_t>(most);
    c->facts.max_output = std::int64_t{most} * g.choices;
  }
  for (int i = 0; i < g.choices; ++i)
    c->output += g.reply_tail ? pareto(from.random, {g.reply, most}, *g.reply_tail) : std::min(g.reply, most);
  c->stream = between(from.random, {0, 1}) == 1;
  c->facts.stream = c->stream;
  // Always drawn, so that every request uses the same number of draws.
  auto const cancel = g.cancel.value_or(cancellation{.share = 0});
  auto const patience = std::chrono::milliseconds{between(from.random, in_ms(cancel.after))};
  if (chance(from.random, cancel.share)) c->patience = patience;
  c->bad = chance(from.fate, told.bad_requests);
  c->without_usage = chance(from.fate, told.usage_missing);
  return c;
}

void clients::ask(std::size_t index) {
  auto const c = make(index);
  hooks_.begun(c);
  arm_patience(c);
  c->submitted = loop_.now();
  hooks_.submit(c);
}

void clients::arm_patience(const call_ptr& c) {
  if (!c->patience) return;
  loop_.at(c->began + *c->patience, [this, c] {
    if (c->over) return;
    c->over = true;
    hooks_.left(c);
    next(c, 0s);
  });
}

call_ptr clients::cut_off(const call_ptr& c) {
  c->over = true;
  auto const again = std::make_shared<call>(*c);
  again->over = false;
  again->admitted.reset();
  arm_patience(again);
  refused(again, true, std::nullopt);
  return again;
}

void clients::served(const call_ptr& c) {
  c->over = true;
  next(c, 0s);
}

void clients::next(const call_ptr& c, duration least) {
  if (c->group->how != pace::closed) return;
  auto pause = least;
  if (c->group->pause > 0s) pause += exponential(c->connection, seconds_of(c->group->pause));
  loop_.after(pause, [this, index = c->connection] { ask(index); });
}

void clients::refused(const call_ptr& c, bool retry_helps, std::optional<duration> retry_after) {
  if (!retry_helps || c->repetitions == sdk_repetitions) {
    c->over = true;
    hooks_.lost(c);
    next(c, rest_after_loss);
    return;
  }
  auto const pause = sdk_pause(c->repetitions++, retry_after, jitter_);
  loop_.after(pause, [this, c] {
    if (c->over) return;
    c->submitted = loop_.now();
    hooks_.submit(c);
  });
}

}  // namespace cooldown::bench
