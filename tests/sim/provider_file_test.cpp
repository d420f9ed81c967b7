// A provider's file combined with command-line options.
#include "sim/provider_file.hpp"

#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "cooldown/sim/options.hpp"

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class ProviderFile : public ::testing::Test {
 protected:
  ~ProviderFile() override { std::remove(path_.c_str()); }

  std::variant<provider_file, std::string> load(const std::string& text) {
    std::ofstream(path_) << text;
    return load_provider(path_);
  }
  std::string complaint_of(const std::string& text) { return std::get<std::string>(load(text)); }
  sim_options command_line(const std::string& text, std::vector<const char*> arguments) {
    std::ofstream(path_) << text;
    arguments.insert(arguments.begin(), {"cerebras-sim", "--provider", path_.c_str()});
    sim_options options;
    EXPECT_FALSE(parse_command_line(static_cast<int>(arguments.size()), arguments.data(), options));
    return options;
  }

  // Tests run beside each other, each in a process of its own.
  std::string path_ = ::testing::TempDir() + "provider_file_test." + std::to_string(::getpid()) + ".yaml";
};

TEST_F(ProviderFile, OfAWorkloadOnlyTheProviderAndTheLengthAreRead) {
  auto const got = load(R"(
name: a workload
seconds: 60
provider: {limits: {rpm: 30, rph: 150}, hidden: [rph], cached: 0.8, load: {share: 0.05, should_retry: false}}
clients: [{connections: 1}]
)");
  ASSERT_TRUE(std::holds_alternative<provider_file>(got));
  auto const& file = std::get<provider_file>(got);
  EXPECT_EQ(file.length, 60s);
  EXPECT_EQ(file.provider.limits.rph, 150);
  ASSERT_EQ(file.provider.hidden.size(), 1U);
  EXPECT_EQ(file.provider.hidden[0].over, window::hour);
  EXPECT_EQ(file.provider.cached, 0.8);
  EXPECT_EQ(file.provider.load_should_retry, false);
}

TEST_F(ProviderFile, AMistakeIsToldWithItsLine) {
  EXPECT_THAT(complaint_of("name: x\n"), HasSubstr("there is no provider"));
  EXPECT_THAT(complaint_of("seconds: 1\nprovider: {hidden: [tpw]}"),
              HasSubstr(".yaml:2: provider.hidden must be one of rps, rpm"));
  EXPECT_THAT(complaint_of("provider: {"), HasSubstr("not valid YAML"));
  EXPECT_THAT(std::get<std::string>(load_provider("/nonexistent.yaml")), HasSubstr("cannot read"));
}

TEST_F(ProviderFile, TheCommandLineChangesWhatTheFileSays) {
  auto const o = command_line("provider: {refill: window, headers: resets, limits: {tpm: 1000}}",
                              {"--headers", "none", "--refusal", "headers", "--chars-per-token", "2"});
  EXPECT_EQ(o.provider.rules.refill, refill_rule::window);
  EXPECT_EQ(o.provider.headers, header_style::none);
  EXPECT_EQ(o.provider.refusals, refusal_style::telling);
  EXPECT_EQ(o.provider.refusal_headers, header_style::none);
  EXPECT_FALSE(o.provider.retry_after);
  EXPECT_EQ(o.provider.tokens_per_char, 0.5);
}

TEST_F(ProviderFile, ModelsHaveItsLimitsUnlessTheyComeWithTheirOwn) {
  constexpr auto text = "provider: {models: 3, headers: two_buckets, limits: {tpm: 1000}}";
  auto const named = command_line(text, {"--model", "a", "--model", "b,rpm=5"}).models;
  ASSERT_EQ(named.size(), 3U);
  EXPECT_EQ(named[0].name, "a");
  EXPECT_EQ(named[0].limits.tpm, 1'000);
  EXPECT_EQ(named[0].limits.total_factor, 0) << "as the file says";
  EXPECT_EQ(named[1].limits.tpm, 0);
  EXPECT_EQ(named[1].limits.rpm, 5);
  EXPECT_EQ(named[2].name, "model-3");
  auto const usual = command_line(text, {}).models;
  ASSERT_EQ(usual.size(), 3U);
  EXPECT_EQ(usual[0].name, "gpt-oss-120b");
  EXPECT_EQ(usual[1].name, "model-2");
}

}  // namespace
}  // namespace cooldown::sim
