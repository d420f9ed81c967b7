// Clients of one scope, whose provider has a bucket of tokens, in simulated time.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::testing {

inline constexpr time_point start{std::chrono::hours{1000}};
inline constexpr wall_time wall{std::chrono::hours{490'000}};
inline constexpr std::uint64_t overhead = 8;  // of the estimate of an empty input

enum class ending { usage, no_usage, stopped, stopped_early, failed };

/// A client with so many connections, each of which asks again when it has been answered.
struct habits {
  int connections = 20;
  double least_maximum = 250;
  double most_maximum = 300;
  double used = 250;
  duration lasts = std::chrono::milliseconds{200};
  ending ends = ending::usage;
  double weight = 1;
  duration absent{0};  // before its first request
  duration pause{0};   // between its answers and its requests
  std::uint8_t urgency = 3;
  bool absurd = false;  // its maximum is the largest number
};

/// Clients of one scope, whose provider has a bucket of tokens, in simulated time.
class market {
 public:
  explicit market(double tokens_a_minute = 100'000) : limit(tokens_a_minute) {
    limiter_settings settings;
    settings.quota.rpm_limit = 1e9;
    settings.quota.tpm_limit = tokens_a_minute;
    settings.quota.replenishment = refill::continuous;
    limiter.configure(settings, start);
    show_level(0);
  }

  /// The tokens that each client used within `length`.
  std::vector<double> run(const std::vector<habits>& of, duration length) {
    clients = of;
    used.assign(of.size(), 0);
    waits.assign(of.size(), {});
    for (std::size_t i = 0; i < of.size(); ++i)
      for (int k = 0; k < of[i].connections; ++k) at(start + of[i].absent, [this, i] { ask(i); });
    while (!events.empty() && events.top().when <= start + length) {
      auto const next = events.top();
      events.pop();
      now = next.when;
      next.what();
      poll();
    }
    return used;
  }

  /// Of 100 requests of a client, 95 waited no longer: seconds.
  double p95_wait(std::size_t client) {
    auto& w = waits.at(client);
    std::sort(w.begin(), w.end());
    return w.empty() ? 0 : w[w.size() * 95 / 100];
  }

 private:
  struct event {
    time_point when;
    std::uint64_t serial;
    std::function<void()> what;
    bool operator<(const event& o) const { return std::pair(when, serial) > std::pair(o.when, o.serial); }
  };

  void at(time_point when, std::function<void()> what) { events.push({when, ++serial, std::move(what)}); }

  void ask(std::size_t i) {
    auto const& c = clients[i];
    std::uniform_real_distribution<double> maximum(c.least_maximum, c.most_maximum);
    ticket_facts t;
    t.scope = {1, "m"};
    t.client = i + 1;
    t.weight = c.weight;
    t.urgency = c.urgency;
    t.max_wait = std::chrono::hours{24};
    t.size.max_output_tokens = static_cast<std::uint64_t>(maximum(random)) - overhead;
    auto const decided = limiter.submit(t, now);
    if (auto const* const g = std::get_if<go>(&decided)) {
      waits[i].push_back(0);
      send(g->id, i);
    } else if (auto const* const q = std::get_if<queued>(&decided)) {
      whose[q->id] = {i, now};
    }
  }

  void refill() {
    level = std::min(limit, level + limit / 60 * seconds_of(now - refilled));
    refilled = now;
  }

  void show_level(ticket_id id) {
    refill();
    auto const most = std::to_string(static_cast<std::int64_t>(limit));
    auto const left = std::to_string(std::max<std::int64_t>(0, static_cast<std::int64_t>(level)));
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", most},
                                   {"x-ratelimit-remaining-tokens-minute", left}};
    if (id == 0) {
      limiter.update_from_headers({1, "m"}, fields, now, wall);
    } else {
      limiter.observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall);
    }
  }

  void send(ticket_id id, std::size_t i) {
    refill();
    auto const cost = limiter.cost_of(id);
    level -= cost;
    show_level(id);
    at(now + clients[i].lasts, [this, cost, i] { level += cost - clients[i].used; });
    at(now + clients[i].lasts, [this, id, i] {
      end(id, i);
      at(now + clients[i].pause, [this, i] { ask(i); });
    });
  }

  void end(ticket_id id, std::size_t i) {
    auto const& c = clients[i];
    auto const tokens = static_cast<std::uint64_t>(c.used);
    used[i] += c.used;
    switch (c.ends) {
      case ending::usage:
        return limiter.settle(id, tokens, std::nullopt, now);
      case ending::no_usage:
      case ending::stopped:
        return limiter.leave(id, now, tokens - overhead);
      case ending::stopped_early:
        return limiter.leave(id, now);
      case ending::failed:
        return limiter.settle(id, std::nullopt, std::nullopt, now);
    }
  }

  void poll() {
    for (auto const& e : limiter.poll(now)) {
      auto const [i, since] = whose.at(e.id);
      whose.erase(e.id);
      waits[i].push_back(seconds_of(now - since));
      send(e.id, i);
    }
    auto const next = limiter.next_deadline(now);
    if (!next || (armed > now && armed <= *next)) return;
    armed = *next;
    at(armed, [] {});
  }

  cerebras_limiter limiter{limiter_settings{}};
  std::vector<habits> clients;
  std::vector<double> used;
  std::vector<std::vector<double>> waits;
  std::map<ticket_id, std::pair<std::size_t, time_point>> whose;
  std::priority_queue<event> events;
  std::mt19937 random{1};
  std::uint64_t serial = 0;
  time_point now = start;
  time_point armed{};
  double limit;
  double level = 0;  // nobody starts with what has come in before
  time_point refilled = start;
};

}  // namespace cooldown::testing
