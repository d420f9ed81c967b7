// The seed's row 7: the program's command line.
#include <csignal>
#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

namespace {

ended_process run(const std::vector<std::string>& args, const std::vector<std::string>& env = {}) {
  return run_to_end(COOLDOWN_PROXY_PROGRAM, args, env);
}

class Row7Program : public ::testing::Test {
 protected:
  temporary_directory directory_;
  std::string good_ =
      directory_.file("good.yaml", yaml_of(usual_values("http://127.0.0.1:" + std::to_string(closed_port()))));
};

}  // namespace

TEST_F(Row7Program, Help) {
  auto const r = run({"--help"});
  EXPECT_EQ(r.status, 0);
  for (auto const* option : {"--config", "-c", "--check-config", "--version", "--help"})
    EXPECT_THAT(r.output, HasSubstr(option));
}

TEST_F(Row7Program, Version) {
  auto const r = run({"--version"});
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(r.output, "cooldown-proxy " COOLDOWN_VERSION "\n");
}

TEST_F(Row7Program, EverySpellingOfConfig) {
  for (auto const& args : std::vector<std::vector<std::string>>{
           {"-c", good_}, {"-config", good_}, {"-config=" + good_}, {"--config", good_}, {"--config=" + good_}}) {
    process p(COOLDOWN_PROXY_PROGRAM, args);
    p.wait_for_line("listening on http://127.0.0.1:");
    p.signal(SIGTERM);
    EXPECT_EQ(p.wait(), 0) << args[0];
    auto checked = args;
    checked.push_back("--check-config");
    EXPECT_EQ(run(checked).status, 0) << args[0];
  }
}

TEST_F(Row7Program, UnknownOptionFails) {
  EXPECT_NE(run({"--confg", good_}).status, 0);
  EXPECT_NE(run({"-c"}).status, 0);
}

TEST_F(Row7Program, CheckConfigSaysOk) {
  auto const r = run({"--check-config", "-c", good_});
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(r.output, good_ + ": OK\n");
}

TEST_F(Row7Program, ExampleIsOk) {
  auto const r = run({"--check-config", "-c", COOLDOWN_SOURCE_DIR "/config.yaml.example"});
  EXPECT_EQ(r.status, 0) << r.output;
}

TEST_F(Row7Program, CheckConfigNamesEveryErrorWithItsPlace) {
  auto const bad = directory_.file("bad.yaml",
                                   "server:\n"
                                   "  prot: 8080\n"
                                   "cerebras:\n"
                                   "  base_url: https://api.cerebras.ai\n"
                                   "  api_key: csk-never-shown\n"
                                   "  rpm_limit: lots\n"
                                   "  tpm_limit: 0\n"
                                   "  rate_limits: { use_headers: maybe, reset_buffer: 100 }\n"
                                   "  queue:\n"
                                   "    max_wait: 10 parsecs\n"
                                   "loging: {}\n");
  auto const r = run({"--check-config", "-c", bad});
  EXPECT_EQ(r.status, 1);
  std::istringstream lines(r.output);
  std::string line;
  int n = 0;
  for (; std::getline(lines, line); ++n) {
    EXPECT_EQ(line.rfind(bad + ":", 0), 0U) << line;
    EXPECT_THAT(line.substr(bad.size()), MatchesRegex(":[0-9]+:[0-9]+: [a-z_.]+: .+"));
  }
  EXPECT_EQ(n, 7) << r.output;
  EXPECT_THAT(r.output, HasSubstr(":2:3: server.prot: "));
  EXPECT_THAT(r.output, HasSubstr("port")) << "the nearest key";
  EXPECT_THAT(r.output, HasSubstr(":6:14: cerebras.rpm_limit: "));
  EXPECT_THAT(r.output, HasSubstr(":7:14: cerebras.tpm_limit: "));
  EXPECT_THAT(r.output, HasSubstr("cerebras.rate_limits.use_headers: "));
  EXPECT_THAT(r.output, HasSubstr("cerebras.rate_limits.reset_buffer: "));
  EXPECT_THAT(r.output, HasSubstr(":10:15: cerebras.queue.max_wait: "));
  EXPECT_THAT(r.output, HasSubstr(":11:1: loging: "));
  EXPECT_THAT(r.output, HasSubstr("logging"));
  EXPECT_EQ(r.output.find("csk-never-shown"), std::string::npos);
  EXPECT_EQ(run({"-c", bad}).status, 78) << "nor does it start";
}

TEST_F(Row7Program, MissingFileFails) {
  auto const r = run({"--check-config", "-c", directory_.path("nowhere.yaml")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.output, HasSubstr("nowhere.yaml"));
  EXPECT_EQ(run({"-c", directory_.path("nowhere.yaml")}).status, 78);
}

TEST_F(Row7Program, MissingVariableFailsWithItsMessage) {
  auto const file = directory_.file("v.yaml", "cerebras: { api_key: \"${COOLDOWN_TEST_KEY:?set it first}\" }\n");
  auto const r = run({"--check-config", "-c", file});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.output, HasSubstr("set it first"));
  auto const set = run({"--check-config", "-c", file}, {"COOLDOWN_TEST_KEY=csk-never-shown"});
  EXPECT_EQ(set.status, 0) << set.output;
  EXPECT_EQ(set.output.find("csk-never-shown"), std::string::npos);
}

TEST_F(Row7Program, CheckConfigLooksAtTheCertificates) {
  auto v = usual_values("https://127.0.0.1:1");
  v["cerebras.tls.ca_file"] = directory_.path("nowhere.pem");
  auto const r = run({"--check-config", "-c", directory_.file("tls.yaml", yaml_of(v))});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.output, HasSubstr("cerebras.tls.ca_file"));
}

TEST_F(Row7Program, CheckConfigMakesNoTraffic) {
  fake_upstream upstream([](auto const&, auto&) { return false; });
  proxy running(upstream);
  // The same configuration with the very ports that are taken.
  auto v = usual_values("http://127.0.0.1:" + std::to_string(upstream.port()));
  v["server.port"] = std::to_string(running.port());
  auto const file = directory_.file("taken.yaml", yaml_of(v));
  EXPECT_EQ(run({"--check-config", "-c", file}).status, 0);
  EXPECT_EQ(upstream.connections(), 0);
  auto const second = run({"-c", file});
  EXPECT_EQ(second.status, 69);
  EXPECT_THAT(second.output, HasSubstr("server: cannot listen on 127.0.0.1 port " + std::to_string(running.port())));
}
