// Measures waiting tickets: microseconds to submit, cancel and release one behind 100,000 others, and its bytes, with
// one client and with 10,000; and the cost of an event with tickets waiting in 100 scopes and in 10,000. Run
// build/release/tickets; use the figures only to compare two versions on the same machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include <malloc.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace {

std::size_t live_bytes = 0;  // as the allocator rounds them

void* counted(std::size_t size) {
  auto* const p = std::malloc(size);
  if (p == nullptr) throw std::bad_alloc();
  live_bytes += malloc_usable_size(p);
  return p;
}

void uncounted(void* p) {
  if (p != nullptr) live_bytes -= malloc_usable_size(p);
  std::free(p);
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void operator delete(void* p) noexcept {
  uncounted(p);
}
void operator delete(void* p, std::size_t /*size*/) noexcept {
  uncounted(p);
}
void operator delete[](void* p) noexcept {
  uncounted(p);
}
void operator delete[](void* p, std::size_t /*size*/) noexcept {
  uncounted(p);
}

namespace {

using namespace cooldown;
using namespace std::chrono_literals;

constexpr std::size_t tickets = 100'000;
constexpr std::size_t cancelled = 10'000;
constexpr std::size_t released = 10'000;
constexpr time_point start{std::chrono::hours{1000}};

/// A stopwatch that adds up.
class watch {
 public:
  template <class Do>
  void time(Do what) {
    auto const from = std::chrono::steady_clock::now();
    what();
    spent_ += std::chrono::steady_clock::now() - from;
  }
  double microseconds_each(std::size_t n) const {
    return seconds_of(spent_) * 1e6 / static_cast<double>(std::max<std::size_t>(n, 1));
  }

 private:
  duration spent_{0};
};

limiter_settings crowded() {
  limiter_settings s;
  s.quota.use_headers = false;
  s.quota.rpm_limit = 1e9;
  s.quota.tpm_limit = 100'000;
  s.max_depth = 2 * tickets;
  return s;
}

ticket_facts facts_of(std::size_t i, std::size_t clients) {
  ticket_facts t;
  t.scope = {1, "gpt-oss-120b"};
  t.size.input_chars = 400 + i % 400;
  t.size.max_output_tokens = 100;
  t.body_bytes = 1000;
  t.max_wait = 24h * 30;
  t.client = i % clients + 1;
  return t;
}

void measure(const char* name, std::size_t clients) {
  auto limiter = std::make_unique<cerebras_limiter>(crowded());
  std::vector<ticket_id> waiting;
  waiting.reserve(tickets);
  auto const before = live_bytes;
  watch submission, cancellation, release;
  std::size_t submitted = 0;
  for (; submitted < 2 * tickets && waiting.size() < tickets; ++submitted) {
    auto const facts = facts_of(submitted, clients);
    decision decided;
    submission.time([&] { decided = limiter->submit(facts, start); });
    if (auto const* const q = std::get_if<queued>(&decided)) waiting.push_back(q->id);
  }
  auto const bytes = live_bytes - before;
  auto const depth = limiter->queue_length();

  std::mt19937 random(1);
  std::shuffle(waiting.begin(), waiting.end(), random);
  for (std::size_t i = 0; i < std::min(cancelled, waiting.size()); ++i) {
    cancellation.time([&] { limiter->leave(waiting[i], start); });
  }

  std::size_t gone = 0;
  auto now = start;
  for (std::size_t step = 0; step < released && gone < released; ++step) {
    std::vector<ticket_event> events;
    release.time([&] {
      now = limiter->next_deadline(now).value_or(now);
      events = limiter->poll(now);
    });
    gone += events.size();
    for (auto const& e : events) limiter->settle(e.id, 200, 150, now);
  }
  std::printf("%-16s %10zu %12.2f %12.2f %12.2f %14.0f\n", name, depth, submission.microseconds_each(submitted),
              cancellation.microseconds_each(std::min(cancelled, waiting.size())), release.microseconds_each(gone),
              static_cast<double>(bytes) / static_cast<double>(std::max<std::size_t>(depth, 1)));
}

/// Microseconds per event: a submission, its cancellation, poll() and next_deadline().
double measure_scopes(std::size_t scopes) {
  constexpr std::size_t events = 2'000;
  auto settings = crowded();
  settings.max_scopes = 2 * scopes;
  settings.quota.tpm_limit = 1'000;
  settings.quota.rpm_limit = 2;
  auto limiter = std::make_unique<cerebras_limiter>(settings);
  auto const facts_in = [](std::size_t scope, std::size_t i) {
    auto facts = facts_of(i, 10);
    facts.scope.credential = scope + 1;
    return facts;
  };
  for (std::size_t scope = 0; scope < scopes; ++scope)
    for (std::size_t i = 0; i < 4; ++i) limiter->submit(facts_in(scope, i), start);
  limiter->poll(start);
  watch event;
  auto now = start;
  for (std::size_t i = 0; i < events; ++i) {
    now += 1us;
    auto const facts = facts_in(i * 7919 % scopes, i);
    event.time([&] {
      auto const decided = limiter->submit(facts, now);
      limiter->poll(now);
      limiter->next_deadline(now);
      if (auto const* const q = std::get_if<queued>(&decided)) limiter->leave(q->id, now);
      limiter->poll(now);
      limiter->next_deadline(now);
    });
  }
  return event.microseconds_each(2 * events);
}

}  // namespace

int main() {
  std::printf("%-16s %10s %12s %12s %12s %14s\n", "clients", "waiting", "submit us", "cancel us", "release us",
              "bytes/ticket");
  measure("1", 1);
  measure("10,000", 10'000);
  auto const few = measure_scopes(100);
  auto const many = measure_scopes(10'000);
  std::printf("\n%-16s %12s\n%-16s %12.2f\n%-16s %12.2f\n%-16s %12.2f\n", "scopes waiting", "event us", "100", few,
              "10,000", many, "ratio", many / few);
}
