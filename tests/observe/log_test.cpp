// The log has one line per event, whatever the event contains.
#include "cooldown/observe/log.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::observe;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

namespace {

const std::string hostile =
    "a\r\nb\n2026-01-01 error forged\x1b[31m\x7f\t\"quoted\" \\ status=500 \xc2\x9b"
    "31m \xe2\x80\xa8 \xe2\x80\xae \xe2\x81\xa6 \xc2\xa0 \xef\xbb\xbf end";

/// No character of `line` moves a cursor, ends a line or turns the order of others.
bool is_harmless(const std::string& line) {
  for (auto const* hidden : {"\xc2\x9b", "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x81\xa6", "\xef\xbb\xbf"})
    if (line.find(hidden) != std::string::npos) return false;
  return std::none_of(line.begin(), line.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
}

access_record hostile_record() {
  access_record r;
  r.id = 7;
  r.client = "127.0.0.1";
  r.method = "POST";
  r.target = "/v1/" + hostile;
  r.model = hostile;
  r.status = 200;
  r.cost = 123;
  r.attempts = 2;
  return r;
}

/// What `use` writes to standard error.
template <class F>
std::vector<std::string> lines_of(const config::logging_settings& settings, F use) {
  ::testing::internal::CaptureStderr();
  {
    observe::log log(settings);
    use(log);
  }
  std::istringstream text(::testing::internal::GetCapturedStderr());
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

config::logging_settings json_at(config::log_level level) {
  return {.level = level, .format = config::log_format::json, .file = {}};
}

}  // namespace

TEST(Log, OneLineAnEvent) {
  auto const lines = lines_of({}, [](observe::log& log) {
    log.info(hostile);
    log.warn("second");
    log.access(hostile_record());
  });
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[0], MatchesRegex(R"([0-9-]+T[0-9:.]+Z info  a\\u000d\\u000ab\\u000a2026.*)"));
  EXPECT_THAT(lines[1], MatchesRegex("[0-9-]+T[0-9:.]+Z warn  second"));
  EXPECT_THAT(lines[2], HasSubstr(" access id=7 client=127.0.0.1 \"POST /v1/a\\u000d\\u000ab"));
  EXPECT_THAT(lines[2], HasSubstr("\\u0022quoted\\u0022\\u0020\\u005c\\u0020status=500\\u0020\\u009b31m"));
  EXPECT_EQ(std::count(lines[2].begin(), lines[2].end(), '"'), 2);
  EXPECT_THAT(lines[2], HasSubstr(" status=200 "));
  EXPECT_THAT(lines[2], HasSubstr(" cost=123 "));
  EXPECT_THAT(lines[2], HasSubstr(" attempts=2"));
  for (auto const& line : lines) EXPECT_TRUE(is_harmless(line)) << line;
}

TEST(Log, JsonIsJson) {
  auto const lines = lines_of(json_at(config::log_level::info), [](observe::log& log) {
    log.error(hostile);
    log.access(hostile_record());
  });
  ASSERT_THAT(lines, SizeIs(2));
  for (auto const& line : lines) EXPECT_TRUE(is_harmless(line)) << line;
  auto const event = boost::json::parse(lines[0]);
  EXPECT_EQ(event.at("level").as_string(), "error");
  EXPECT_EQ(event.at("message").as_string(), hostile);
  auto const access = boost::json::parse(lines[1]);
  EXPECT_EQ(access.at("message").as_string(), "access");
  EXPECT_EQ(access.at("id").to_number<int>(), 7);
  EXPECT_EQ(access.at("model").as_string(), hostile);
  EXPECT_EQ(access.at("status").to_number<int>(), 200);
  for (auto const* key :
       {"time", "client", "method", "target", "cost", "tokens", "waited", "upstream", "total", "attempts", "complete"})
    EXPECT_TRUE(access.as_object().contains(key)) << key;
}

TEST(Log, JsonOfBytesThatAreNotUtf8IsJson) {
  auto record = hostile_record();
  record.model = "\xff\xfe\x80";
  record.target = "/v1/\xc3\x28";
  auto const lines = lines_of(json_at(config::log_level::info), [&](observe::log& log) {
    log.info("\xff");
    log.access(record);
  });
  ASSERT_THAT(lines, SizeIs(2));
  for (auto const& line : lines) {
    boost::system::error_code ec;
    boost::json::parse(line, ec);
    EXPECT_FALSE(ec) << line;
  }
}

TEST(Log, LevelsHold) {
  auto const lines = lines_of(json_at(config::log_level::warn), [](observe::log& log) {
    log.debug("no");
    log.info("no");
    log.access(hostile_record());
    log.warn("yes");
    log.error("yes");
  });
  EXPECT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines_of(json_at(config::log_level::off), [](observe::log& log) { log.error("no"); }), SizeIs(0));
}

TEST(Log, ReconfiguredAtOnce) {
  auto const lines = lines_of({}, [](observe::log& log) {
    log.debug("no");
    log.configure({.level = config::log_level::debug, .format = config::log_format::json, .file = {}});
    log.debug("yes");
  });
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(boost::json::parse(lines[0]).at("message").as_string(), "yes");
}

TEST(Log, EveryLineIsWrittenByTheEnd) {
  auto const lines = lines_of({}, [](observe::log& log) {
    for (int i = 0; i < 1000; ++i) log.info("line " + std::to_string(i));
  });
  ASSERT_THAT(lines, SizeIs(1000));
  EXPECT_THAT(lines.back(), HasSubstr("line 999"));
}
