// Workload files: what they may contain, and the errors.
#include "quota/workload_file.hpp"

#include <gmock/gmock.h>

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

workload read(std::string_view text) {
  auto const got = read_workload(text, "w.yaml");
  if (auto const* const error = std::get_if<workload_error>(&got)) throw std::runtime_error(error->message);
  return std::get<workload>(got);
}

std::string complaint(std::string_view text) {
  auto const got = read_workload(text, "w.yaml");
  auto const* const error = std::get_if<workload_error>(&got);
  return error == nullptr ? "" : error->message;
}

TEST(WorkloadFile, EveryFieldIsOptional) {
  auto const w = read("{}");
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.length, 1800s);
  EXPECT_EQ(w.provider.limits.tpm, 60'000);
  EXPECT_EQ(w.provider.retry_after, "60");
  ASSERT_EQ(w.groups.size(), 1U);
  EXPECT_EQ(w.groups[0].connections, 24);
}

TEST(WorkloadFile, TheProvidersRules) {
  auto const p = read(R"(
provider:
  refill: sliding
  limits: {rps: 2, rpm: 300, rph: 9000, rpd: 100000, tpm: 150000, tph: 5000000, tpd: 50000000}
  total_factor: 3
  concurrency: 8
  cost: completion_only
  spent: {rpm: 1, tpd: 0.99}
  foreign: {tpm: 30000, rpm: 25, from: 5s, until: 60s, every: 600s}
  changes: [{at: 0.5, factor: 0.25}]
  tokens_per_char: {mean: 0.5, noise: 0.3}
  models: 2
)")
                     .provider;
  EXPECT_EQ(p.rules.refill, sim::refill_rule::sliding);
  EXPECT_EQ(p.rules.cost, sim::cost_rule::completion_only);
  EXPECT_EQ(p.limits.rps, 2);
  EXPECT_EQ(p.limits.rpm, 300);
  EXPECT_EQ(p.limits.rph, 9'000);
  EXPECT_EQ(p.limits.rpd, 100'000);
  EXPECT_EQ(p.limits.tpm, 150'000);
  EXPECT_EQ(p.limits.tph, 5'000'000);
  EXPECT_EQ(p.limits.tpd, 50'000'000);
  EXPECT_EQ(p.limits.total_factor, 3);
  EXPECT_EQ(p.concurrency, 8);
  ASSERT_EQ(p.spent.size(), 2U);
  EXPECT_EQ(p.spent[0].which.counts, resource::requests);
  EXPECT_EQ(p.spent[0].which.over, window::minute);
  EXPECT_EQ(p.spent[1].which.counts, resource::tokens);
  EXPECT_EQ(p.spent[1].which.over, window::day);
  EXPECT_EQ(p.spent[1].share, 0.99);
  ASSERT_TRUE(p.foreign);
  EXPECT_EQ(p.foreign->tpm, 30'000);
  EXPECT_EQ(p.foreign->rpm, 25);
  EXPECT_FALSE(p.foreign->when.covers(4s));
  EXPECT_TRUE(p.foreign->when.covers(605s));
  EXPECT_FALSE(p.foreign->when.covers(661s));
  ASSERT_EQ(p.changes.size(), 1U);
  EXPECT_EQ(p.changes[0].at, 0.5);
  EXPECT_EQ(p.changes[0].factor, 0.25);
  EXPECT_EQ(p.tokens_per_char, 0.5);
  EXPECT_EQ(p.token_noise, 0.3);
  EXPECT_EQ(p.models, 2);
}

TEST(WorkloadFile, TheProvidersAnswers) {
  auto const p = read(R"(
provider:
  headers: two_buckets
  headers_missing: 0.5
  headers_until: 15s
  headers_stale: 10s
  headers_late: [1s, 3s]
  headers_on: all
  reset_says: 60
  refusals: generic
  retry_after: exact
  load: {share: 0.05, from: 1s, until: 1800s, retry_after: "0"}
  errors: {400: 0.1, 503: 0.01}
  usage_missing: 0.2
  anomaly: {at: 30s, factor: 17}
)")
                     .provider;
  EXPECT_EQ(p.headers, sim::header_style::two_buckets);
  EXPECT_EQ(p.headers_missing, 0.5);
  EXPECT_EQ(p.headers_until, 15s);
  EXPECT_EQ(p.headers_stale, 10s);
  EXPECT_EQ(p.headers_late.low, 1s);
  EXPECT_EQ(p.headers_late.high, 3s);
  EXPECT_TRUE(p.headers_on_errors);
  EXPECT_EQ(p.reset_says, 60s);
  EXPECT_EQ(p.refusals, sim::refusal_style::generic);
  EXPECT_FALSE(p.retry_after);
  ASSERT_TRUE(p.load);
  EXPECT_EQ(p.load->share, 0.05);
  EXPECT_EQ(p.load->when.from, 1s);
  EXPECT_EQ(p.load->when.until, 1800s);
  EXPECT_EQ(p.load_retry_after, "0");
  EXPECT_EQ(p.bad_requests, 0.1);
  EXPECT_EQ(p.failures, 0.01);
  EXPECT_EQ(p.usage_missing, 0.2);
  ASSERT_TRUE(p.anomaly);
  EXPECT_EQ(p.anomaly->at, 30s);
  EXPECT_EQ(p.anomaly->factor, 17);
}

TEST(WorkloadFile, WhatIsConfiguredAndWhatHappens) {
  auto const w = read(R"(
name: agents
seconds: 60
configured: {rpm: 30, tpm: 50000, rph: 150, rpd: 5, tph: 6, tpd: 7, total_tpm: 450000, total_tph: 8, total_tpd: 9}
clock_ahead: -2s
unequal: true
events: [{at: 600s, restart: true}, {at: 900s, restart: true, keep: true}]
)");
  EXPECT_EQ(w.name, "agents");
  EXPECT_EQ(w.length, 60s);
  EXPECT_EQ(w.rpm_limit, 30);
  EXPECT_EQ(w.tpm_limit, 50'000);
  EXPECT_EQ(w.configured.of({resource::requests, window::hour}), 150);
  EXPECT_EQ(w.configured.of({resource::requests, window::day}), 5);
  EXPECT_EQ(w.configured.of({resource::tokens, window::hour}), 6);
  EXPECT_EQ(w.configured.of({resource::tokens, window::day}), 7);
  EXPECT_EQ(w.configured.of({resource::total_tokens, window::minute}), 450'000);
  EXPECT_EQ(w.configured.of({resource::total_tokens, window::hour}), 8);
  EXPECT_EQ(w.configured.of({resource::total_tokens, window::day}), 9);
  EXPECT_EQ(w.skew, -2s);
  EXPECT_TRUE(w.unequal);
  EXPECT_EQ(w.restarts, (std::vector<workload::restart>{{.at = 600s, .keep = false}, {.at = 900s, .keep = true}}));
}

TEST(WorkloadFile, Clients) {
  auto const w = read(R"(
provider: {models: 2}
clients:
  - {connections: 16, pause: 2s, input_chars: [20000, 120000], tail: 1.2, max_output: [1000, 8000], reply: 400, time_per_token: 2500us,
     cached: 0.8, cancel: {share: 0.2, after: [2s, 12s]}, urgency: 1, weight: 2, one_client: false, watched: true, model: 1}
  - {pace: bursts, every: 30s, max_output: none, images: 2, image_tokens: 85, choices: 4, reply_tail: 1.1}
  - {pace: poisson, rate: 2.5}
)");
  ASSERT_EQ(w.groups.size(), 3U);
  auto const& g = w.groups[0];
  EXPECT_EQ(g.connections, 16);
  EXPECT_EQ(g.how, pace::closed);
  EXPECT_EQ(g.pause, 2s);
  EXPECT_EQ(g.input_chars.low, 20'000);
  EXPECT_EQ(g.input_chars.high, 120'000);
  EXPECT_EQ(g.tail, 1.2);
  ASSERT_TRUE(g.max_output);
  EXPECT_EQ(g.max_output->high, 8'000);
  EXPECT_EQ(g.reply, 400);
  EXPECT_FALSE(g.reply_tail);
  EXPECT_EQ(w.groups[1].reply_tail, 1.1);
  EXPECT_EQ(w.groups[1].images, 2);
  EXPECT_EQ(w.groups[1].image_tokens, 85);
  EXPECT_EQ(w.groups[1].choices, 4);
  EXPECT_EQ(g.time_per_token, 2500us);
  EXPECT_EQ(g.cached, 0.8);
  ASSERT_TRUE(g.cancel);
  EXPECT_EQ(g.cancel->share, 0.2);
  EXPECT_EQ(g.cancel->after.low, 2s);
  EXPECT_EQ(g.cancel->after.high, 12s);
  EXPECT_EQ(g.urgency, 1);
  EXPECT_EQ(g.weight, 2);
  EXPECT_FALSE(g.one_client);
  EXPECT_TRUE(g.watched);
  EXPECT_EQ(g.model, 1);
  EXPECT_EQ(w.groups[1].how, pace::bursts);
  EXPECT_EQ(w.groups[1].every, 30s);
  EXPECT_FALSE(w.groups[1].max_output);
  EXPECT_EQ(w.groups[2].how, pace::poisson);
  EXPECT_EQ(w.groups[2].rate, 2.5);
}

TEST(WorkloadFile, AnUnknownFieldIsToldWithItsLineAndWhatIsKnown) {
  auto const said = complaint("name: x\nprovider:\n  limits: {tpm: 1}\n  refil: bucket\n");
  EXPECT_THAT(said, StartsWith("w.yaml:4: 'refil' is not a field of provider; known: refill, dialect, limits"));
  EXPECT_THAT(complaint("nam: x"), StartsWith("w.yaml:1: 'nam' is not a field of a workload; known: name, seconds"));
  EXPECT_THAT(complaint("provider: {limits: {tpw: 1}}"), HasSubstr("provider.limits; known: rps, rpm"));
  EXPECT_THAT(complaint("clients:\n - {}\n - {conections: 1}"), StartsWith("w.yaml:3: 'conections'"));
}

struct wrong {
  const char* text;
  const char* said;
};

class WrongWorkloadFile : public ::testing::TestWithParam<wrong> {};

TEST_P(WrongWorkloadFile, IsToldWithItsLine) {
  EXPECT_THAT(complaint(GetParam().text), StartsWith(GetParam().said));
}

constexpr wrong wrongs[] = {
    {"seconds: long", "w.yaml:1: seconds must be a number from 1 to 10000000"},
    {"\nseconds: 0", "w.yaml:2: seconds must be a number from 1"},
    {"provider: bucket", "w.yaml:1: provider must be a map of fields"},
    {"provider: {refill: bowl}", "w.yaml:1: provider.refill must be one of bucket, window, sliding"},
    {"provider: {headers: [six]}", "w.yaml:1: provider.headers must be a text"},
    {"provider: {headers_missing: 1.5}", "w.yaml:1: provider.headers_missing must be a number from 0 to 1"},
    {"provider: {headers_stale: 10}", "w.yaml:1: provider.headers_stale must be a time such as"},
    {"provider: {headers_stale: -1s}", "w.yaml:1: provider.headers_stale must be a time such as"},
    {"provider: {limits: {tpm: -1}}", "w.yaml:1: provider.limits.tpm must be a number from 0"},
    {"provider: {limits: {tpm: nan}}", "w.yaml:1: provider.limits.tpm must be a number from 0"},
    {"provider: {spent: {rpm: 2}}", "w.yaml:1: provider.spent.rpm must be a number from 0 to 1"},
    {"provider: {changes: {at: 1}}", "w.yaml:1: provider.changes must be a list"},
    {"provider: {foreign: {tpm: 1, every: 0s}}", "w.yaml:1: provider.foreign.every must be longer than 0s"},
    {"configured: {rpm: none}", "w.yaml:1: configured.rpm must be a number from 1"},
    {"clients: []", "w.yaml:1: clients must name at least one group"},
    {"clients: [{urgency: 8}]", "w.yaml:1: clients.urgency must be a whole number from 0 to 7"},
    {"clients: [{connections: 1.5}]", "w.yaml:1: clients.connections must be a whole number from 1"},
    {"clients: [{model: 1}]", "w.yaml:1: clients.model must be a whole number from 0 to 0"},
    {"clients: [{one_client: yes}]", "w.yaml:1: clients.one_client must be true or false"},
    {"clients: [{input_chars: [5, 1]}]", "w.yaml:1: clients.input_chars must be a range [low, high], the lower"},
    {"clients: [{input_chars: [5]}]", "w.yaml:1: clients.input_chars must be a range [low, high] of whole"},
    {"events: [{at: 1s}]", "w.yaml:1: events: an event is {at: 600s, restart: true}"},
    {"name: a\nname: b", "w.yaml:2: 'name' stands here a second time"},
    {"name: {", "w.yaml:1: not valid YAML"},
    {"[]", "w.yaml:1: a workload must be a map of fields"},
};
INSTANTIATE_TEST_SUITE_P(Texts, WrongWorkloadFile, ::testing::ValuesIn(wrongs));

TEST(WorkloadFile, AFileThatIsNotThereIsTold) {
  auto const got = load_workloads("/nonexistent/w.yaml");
  ASSERT_TRUE(std::holds_alternative<workload_error>(got));
  EXPECT_THAT(std::get<workload_error>(got).message, StartsWith("/nonexistent/w.yaml: cannot read"));
}

}  // namespace
}  // namespace cooldown::bench
