// The daemon's memory: what was learned and used survives restarts and crashes.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/damage.hpp"
#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

constexpr auto key = "csk-very-secret-of-the-client";

struct Memory : ::testing::Test {
  temporary_directory in;
  std::string file = in.path("state.db");

  values remembering(const values& more = {}) const {
    values v{{"state.file", file}, {"state.every", "100ms"}};
    v.insert(more.begin(), more.end());
    return v;
  }

  /// What `cooldown-proxy usage --json` prints, grouped by `what`.
  boost::json::array usage(const std::string& what = "model") const {
    auto const config = in.path("usage.yaml");
    std::ofstream(config) << "state: {file: " << file << "}\n";
    process command(COOLDOWN_PROXY_PROGRAM, {"-c", config, "usage", "--json", "--by", what});
    EXPECT_EQ(command.wait(), 0) << command.output();
    return boost::json::parse(command.output()).as_array();
  }

  double used(const std::string& figure) const {
    double sum = 0;
    for (auto const& row : usage()) sum += row.at(figure).to_number<double>();
    return sum;
  }
};

std::string chat(const std::string& model = "m") {
  return post_request("/v1/chat/completions", chat_body(model, 10, false, "hello"),
                      std::string("Authorization: Bearer ") + key + "\r\n");
}

std::string answer(const std::string& fields = "") {
  return ok_response(R"({"id":"1","usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}})", fields);
}

/// A day's quota of 100 requests, of which `left` are left.
std::string day_headers(int left) {
  return "x-ratelimit-limit-requests-day: 100\r\nx-ratelimit-remaining-requests-day: " + std::to_string(left) +
         "\r\nx-ratelimit-reset-requests-day: 40000\r\n";
}

}  // namespace

TEST_F(Memory, ADaysQuotaThatWasSpentIsKnownAsSpentAfterACrash) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer(day_headers(0))); });
  {
    proxy p(upstream, remembering());
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(file) && !usage().empty(); }));
    p.crash();
  }
  proxy p(upstream, remembering({{"cerebras.queue.max_wait", "1s"}}));
  auto const r = p.fetch(chat(), "POST");
  EXPECT_EQ(r.status, 429) << r.body;
  EXPECT_THAT(r.raw_head, AnyOf(HasSubstr("Retry-After: 40000"), HasSubstr("Retry-After: 39999")));
  EXPECT_EQ(upstream.count(), 1U) << "the provider need not refuse what is known to be spent";
}

TEST_F(Memory, APortOfThisMachineIsNoProviderUnlessSomebodyChoseTheFile) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer(day_headers(0))); });
  for (int i = 0; i < 2; ++i) {
    proxy p(upstream, {{"cerebras.queue.max_wait", "1s"}}, {"HOME=" + in.path("home")});
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  }
  file = in.path("home/.local/state/cooldown-proxy/state.db");
  EXPECT_EQ(used("requests"), 2) << "it is counted";
}

TEST_F(Memory, AnotherAccountStartsAfresh) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer(day_headers(0))); });
  {
    proxy p(upstream, remembering({{"cerebras.api_key", "first"}}));
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  }
  proxy p(upstream, remembering({{"cerebras.api_key", "second"}, {"cerebras.queue.max_wait", "1s"}}));
  EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
}

TEST_F(Memory, CountsEachRequestOnceWhateverRestarts) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  int answered = 0;
  for (int i = 0; i < 5; ++i) {
    proxy p(upstream, remembering());
    for (int k = 0; k <= i; ++k) answered += p.fetch(chat(k % 2 ? "odd" : "even"), "POST").status == 200 ? 1 : 0;
  }
  EXPECT_EQ(answered, 15);
  EXPECT_EQ(used("requests"), 15);
  EXPECT_EQ(used("prompt_tokens"), 15 * 7);
  EXPECT_EQ(used("completion_tokens"), 15 * 5);
  EXPECT_EQ(usage().size(), 2U);
  EXPECT_EQ(usage("day").size(), 1U);
}

TEST_F(Memory, ACrashLosesNoMoreThanTheLastMoments) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  double answered = 0;
  for (int i = 0; i < 20; ++i) {
    proxy p(upstream, remembering());
    for (int k = 0; k < 5; ++k) answered += p.fetch(chat(), "POST").status == 200 ? 1 : 0;
    EXPECT_TRUE(i % 2 == 0 || eventually([&] { return used("requests") >= answered; }));
    p.crash();
    if (i % 2 == 0) answered = std::filesystem::exists(file) ? used("requests") : 0;
    EXPECT_LE(used("requests"), answered) << "nothing is counted twice";
  }
  EXPECT_GE(answered, 50);
}

TEST_F(Memory, KeepsNoKey) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer(day_headers(50))); });
  for (auto const* const own : {"", "csk-very-secret-of-ours"}) {
    proxy p(upstream, remembering({{"cerebras.api_key", own}}));
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  }
  EXPECT_GE(used("requests"), 2);
  for (auto const& entry : std::filesystem::directory_iterator(in.path(""))) {
    if (entry.path().extension() == ".yaml") continue;
    std::stringstream bytes;
    bytes << std::ifstream(entry.path()).rdbuf();
    EXPECT_THAT(bytes.str(), Not(HasSubstr("very-secret"))) << entry.path();
  }
}

TEST_F(Memory, WhatCannotBeKeptEndsNoService) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  file = "/proc/nowhere/state.db";
  proxy p(upstream, remembering());
  EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  p.program().wait_for_line("nothing is remembered over a restart: /proc/nowhere");
}

TEST_F(Memory, ADamagedFileIsMovedAside) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  {
    proxy p(upstream, remembering());
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  }
  cooldown::state::damage(file);
  {
    proxy p(upstream, remembering());
    p.program().wait_for_line("state.db.damaged");
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  }
  EXPECT_EQ(used("requests"), 1);
}

TEST_F(Memory, AFileThatIsNoDatabaseStaysAsItIs) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  std::ofstream(file) << "somebody's\n";
  proxy p(upstream, remembering());
  p.program().wait_for_line("file is not a database; it is left alone");
  EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  std::stringstream bytes;
  bytes << std::ifstream(file).rdbuf();
  EXPECT_EQ(bytes.str(), "somebody's\n");
}

TEST_F(Memory, NothingIsKeptIfItIsOff) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  {
    proxy p(upstream, remembering({{"state.off", "true"}}));
    EXPECT_EQ(p.fetch(chat(), "POST").status, 200);
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Memory, UsageSaysWhatIsWrong) {
  process nothing(COOLDOWN_PROXY_PROGRAM, {"usage"}, {"XDG_STATE_HOME=/nowhere"});
  EXPECT_EQ(nothing.wait(), 69);
  EXPECT_THAT(nothing.output(), HasSubstr("/nowhere/cooldown-proxy/state.db does not exist"));
  process unknown(COOLDOWN_PROXY_PROGRAM, {"usage", "--since", "soon"}, {"XDG_STATE_HOME=/nowhere"});
  EXPECT_EQ(unknown.wait(), 64);
  EXPECT_THAT(unknown.output(), HasSubstr("--since soon: expected a duration"));
}

TEST_F(Memory, UsageIsATableForPeopleAndValuesForPrograms) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(answer()); });
  {
    proxy p(upstream, remembering());
    EXPECT_EQ(p.fetch(chat("a,b"), "POST").status, 200);
  }
  auto const config = in.path("usage.yaml");
  std::ofstream(config) << "state: {file: " << file << "}\n";
  process table(COOLDOWN_PROXY_PROGRAM, {"-c", config, "usage"});
  EXPECT_EQ(table.wait(), 0);
  EXPECT_THAT(table.output(), HasSubstr("model   requests  prompt tokens"));
  process csv(COOLDOWN_PROXY_PROGRAM, {"-c", config, "usage", "--csv"});
  EXPECT_EQ(csv.wait(), 0);
  EXPECT_THAT(csv.output(), HasSubstr("\n\"a,b\",1,7,0,5,12,"));
}
