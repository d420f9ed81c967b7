// The proxy in front of cerebras-sim: whatever headers the provider sends, no client sees a 429.
#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;

namespace {

struct provider {
  const char* name;
  std::vector<std::string> options;
};

void PrintTo(const provider& p, std::ostream* to) {
  *to << p.name;
}

class Simulator : public ::testing::TestWithParam<provider> {};

}  // namespace

TEST_P(Simulator, NoClientSeesAQuotaRefusal) {
  std::vector<std::string> args{"--listen", "127.0.0.1:0", "--model", "m,rpm=600,tpm=60000", "--reply-tokens", "300"};
  args.insert(args.end(), GetParam().options.begin(), GetParam().options.end());
  process sim(CEREBRAS_SIM_PROGRAM, args);
  auto const line = sim.wait_for_line("listening on http://");
  auto const url = line.substr(line.find("http://"));
  proxy p(url, {{"cerebras.rpm_limit", "600"}, {"cerebras.tpm_limit", "60000"}});
  // Each reserves a sixth of the minute: most have to wait for the others' refunds.
  std::vector<tcp_client> clients;
  for (int i = 0; i < 24; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(post_request("/v1/chat/completions", chat_body("m", 10'000, i % 2 == 0)));
  }
  for (auto& c : clients) {
    auto const r = read_response(c);
    EXPECT_EQ(r.status, 200) << r.body;
    EXPECT_TRUE(r.complete);
  }
  EXPECT_EQ(p.queue_length(), 0U);
  EXPECT_EQ(p.in_flight(), 0U);
  EXPECT_EQ(p.metric("cooldown_released_requests_total"), 24 + p.metric("cooldown_upstream_refusals_total"));
  auto const port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  auto const stats = boost::json::parse(fetch(port, get_request("/sim/stats")).body);
  EXPECT_EQ(stats.at("models").at("m").at("admissions").to_number<int>(), 24);
  EXPECT_LE(stats.at("models").at("m").at("refusals").to_number<int>(), 1);
}

INSTANTIATE_TEST_SUITE_P(Headers, Simulator,
                         ::testing::Values(provider{"Live2026", {"--headers", "plain"}},
                                           provider{"TwoBuckets", {"--headers", "two-buckets"}},
                                           provider{"Documented2025", {"--headers", "resets", "--refusal", "headers"}},
                                           provider{"AllResets", {"--headers", "all-resets"}},
                                           provider{"None", {"--headers", "none"}},
                                           provider{"MeasuredCost", {"--cost", "measured"}}),
                         [](const auto& of) { return std::string(of.param.name); });

namespace {

class SimulatorDialects : public ::testing::TestWithParam<const char*> {};

}  // namespace

TEST_P(SimulatorDialects, NoClientSeesARefusal) {
  process sim(CEREBRAS_SIM_PROGRAM,
              {"--listen", "127.0.0.1:0", "--dialect", GetParam(), "--reply-tokens", "50", "--ttft", "20"});
  auto const line = sim.wait_for_line("listening on http://");
  proxy p(line.substr(line.find("http://")), {{"cerebras.rpm_limit", "6000"}, {"cerebras.tpm_limit", "600000"}});
  std::vector<tcp_client> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(post_request("/v1/chat/completions", chat_body("m", 60, i % 2 == 0)));
  }
  for (auto& c : clients) {
    auto const r = read_response(c);
    EXPECT_EQ(r.status, 200) << r.body;
    EXPECT_TRUE(r.complete);
  }
}

INSTANTIATE_TEST_SUITE_P(Dialects, SimulatorDialects,
                         ::testing::Values("openai", "groq", "azure", "anthropic", "together", "zai", "huggingface"),
                         [](const auto& of) { return std::string(of.param); });
