// ${NAME}, ${NAME:-default}, ${NAME:?message} and $$.
#include "expand.hpp"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace cooldown::config {
namespace {

using ::testing::ElementsAre;
using testing::environment_of;
using ::testing::IsEmpty;
using testing::problems_of;
using testing::settings_of;

const environment env = environment_of({{"HOME_1", "here"}, {"EMPTY", ""}, {"_x", "y"}, {"NESTED", "${HOME_1} $$"}});

constexpr std::string_view malformed =
    "after '${' expected NAME}, NAME:-default} or NAME:?message}; write '$$' for a plain '$'";

TEST(Expand, EveryForm) {
  struct {
    std::string_view raw;
    std::string_view text;
    bool from_environment;
  } const table[] = {{"", "", false},
                     {"plain", "plain", false},
                     {"${HOME_1}", "here", true},
                     {"a${HOME_1}b${_x}c", "aherebyc", true},
                     {"${EMPTY}", "", true},
                     {"${EMPTY:-d}", "d", false},
                     {"${GONE:-d}", "d", false},
                     {"${GONE:-}", "", false},
                     {"${GONE:-a:-b?c$d}", "a:-b?c$d", false},
                     {"${HOME_1:-d}", "here", true},
                     {"${HOME_1:?m}", "here", true},
                     {"$$", "$", false},
                     {"$${HOME_1}", "${HOME_1}", false},
                     {"$$$${", "$${", false},
                     {"$", "$", false},
                     {"a$", "a$", false},
                     {"$HOME_1 $1 $-", "$HOME_1 $1 $-", false},
                     {"}", "}", false},
                     {"${HOME_1}}", "here}", true},
                     {"${NESTED}", "${HOME_1} $$", true}};
  for (auto const& row : table) {
    auto const e = expand(row.raw, env);
    EXPECT_EQ(e.text, row.text) << row.raw;
    EXPECT_EQ(e.from_environment, row.from_environment) << row.raw;
    EXPECT_THAT(e.mistakes, IsEmpty()) << row.raw;
  }
}

TEST(Expand, EveryMistake) {
  struct {
    std::string_view raw;
    std::string_view mistake;
  } const table[] = {{"${GONE}", "environment variable GONE is not set; set it, or write ${GONE:-} to do without"},
                     {"${GONE:?say so}", "environment variable GONE is not set: say so"},
                     {"${EMPTY:?say so}", "environment variable EMPTY is empty: say so"},
                     {"${GONE:?}", "environment variable GONE is not set"},
                     {"${", "'${' without its '}'; write '$$' for a plain '$'"},
                     {"a${HOME_1", "'${' without its '}'; write '$$' for a plain '$'"},
                     {"${GONE:-${HOME_1}}", "a '${' within '${...}' is not expanded; use one variable"},
                     {"${}", malformed},
                     {"${1A}", malformed},
                     {"${A-b}", malformed},
                     {"${A?b}", malformed},
                     {"${A:b}", malformed},
                     {"${A:}", malformed},
                     {"${ A}", malformed},
                     {"${csk-abc}", malformed}};
  for (auto const& row : table) EXPECT_THAT(expand(row.raw, env).mistakes, ElementsAre(row.mistake)) << row.raw;
}

TEST(Expand, FindsEveryMistakeOfAScalar) {
  EXPECT_THAT(expand("${A} ${B:?b} ${-}", env).mistakes,
              ElementsAre("environment variable A is not set; set it, or write ${A:-} to do without",
                          "environment variable B is not set: b", malformed));
}

TEST(Expand, IsBounded) {
  auto const large = environment_of({{"X", std::string(1000, 'x')}});
  std::string raw;
  for (int i = 0; i < 100'000; ++i) raw += "${X}";
  auto const e = expand(raw, large);
  EXPECT_THAT(e.mistakes, ElementsAre("expands to more than 64KiB"));
  EXPECT_THAT(e.text, IsEmpty());
}

TEST(Expand, AValueCannotInjectYaml) {
  auto const evil = environment_of({{"LEVEL", "info\nadmin: {port: 1}"}, {"FILE", "x, y: z} # \"'"}});
  EXPECT_THAT(problems_of("logging: {level: \"${LEVEL}\"}", evil),
              ElementsAre("f:1:18: logging.level: must be one of trace, debug, info, warn, error, off (value hidden)"));
  EXPECT_EQ(settings_of("cerebras:\n  tls:\n    ca_file: ${FILE}", evil).cerebras.tls.ca_file, "x, y: z} # \"'");
}

TEST(Expand, WorksForEveryKindOfValueQuotedOrNot) {
  auto const values = environment_of(
      {{"PORT", "99"}, {"SIZE", "2MiB"}, {"TIME", "7s"}, {"FLAG", "true"}, {"LEVEL", "warn\n"}, {"EMPTY", ""}});
  auto const s = settings_of(
      "server: {port: \"${PORT}\", max_body_size: '${SIZE}', body_timeout: \"${TIME}\", host: '127.0.0.${EMPTY:-2}'}\n"
      "cerebras:\n"
      "  rate_limits:\n"
      "    use_headers: ${FLAG}\n"
      "  queue:\n"
      "    keepalive_after: ${EMPTY:-off}\n"
      "logging:\n"
      "  level: ${LEVEL}\n",
      values);
  EXPECT_EQ(s.server.port, 99);
  EXPECT_EQ(s.server.max_body_size, 2U << 20U);
  EXPECT_EQ(s.server.body_timeout, milliseconds(7000));
  EXPECT_EQ(s.server.host, "127.0.0.2");
  EXPECT_TRUE(s.cerebras.rate_limits.use_headers);
  EXPECT_FALSE(s.cerebras.queue.keepalive_after);
  EXPECT_EQ(s.logging.level, log_level::warn);
}

TEST(Expand, DoesNotTouchNamesOfKeys) {
  EXPECT_THAT(problems_of("${A}: 1", environment_of({{"A", "server"}})),
              ElementsAre("f:1:1: unknown key (name hidden); a key is followed by ':' and a space"));
}

TEST(Expand, ProcessEnvironmentSeesTheProcess) {
  auto const process = process_environment();
  ASSERT_EQ(setenv("COOLDOWN_TEST_VARIABLE", "v", 1), 0);
  EXPECT_EQ(process("COOLDOWN_TEST_VARIABLE"), "v");
  ASSERT_EQ(unsetenv("COOLDOWN_TEST_VARIABLE"), 0);
  EXPECT_EQ(process("COOLDOWN_TEST_VARIABLE"), std::nullopt);
}

TEST(Expand, CredentialsOfTheServiceStandInForVariables) {
  std::string folder = ::testing::TempDir() + "credentials-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/COOLDOWN_TEST_KEY") << "csk-1\n";
  std::ofstream(folder + "/COOLDOWN_TEST_EMPTY") << "";
  ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1), 0);
  auto const process = process_environment();
  EXPECT_EQ(process("COOLDOWN_TEST_KEY"), "csk-1");
  EXPECT_EQ(process("COOLDOWN_TEST_EMPTY"), std::nullopt) << "the unit's default for a file that is not there";
  EXPECT_EQ(process("../COOLDOWN_TEST_KEY"), std::nullopt);
  ASSERT_EQ(setenv("COOLDOWN_TEST_KEY", "above", 1), 0);
  EXPECT_EQ(process("COOLDOWN_TEST_KEY"), "above") << "a variable counts more";
  ASSERT_EQ(unsetenv("COOLDOWN_TEST_KEY"), 0);
  ASSERT_EQ(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

}  // namespace
}  // namespace cooldown::config
