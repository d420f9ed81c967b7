// Durations, sizes, integers and booleans, and how they are written back.
#include <chrono>
#include <optional>

#include <gtest/gtest.h>

#include "scalars.hpp"

namespace cooldown::config {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::string_view bad_duration = "expected a duration such as 250ms, 10s, 5m or 1h30m";
constexpr std::string_view bad_size = "expected a size such as 64KiB, 32MiB or 1GiB, or a number of bytes";

template <class T>
std::string why(const reading<T>& r) {
  auto const* bad = std::get_if<rejection>(&r);
  return bad == nullptr ? "accepted" : bad->why;
}

TEST(Duration, ReadsEveryWayOfWritingOne) {
  struct {
    std::string_view text;
    milliseconds value;
  } const table[] = {
      {"0", 0ms},      {"0s", 0ms},         {"0ms", 0ms},      {"1ms", 1ms},        {"250ms", 250ms},
      {"10s", 10s},    {"5m", 5min},        {"24h", 24h},      {"1h30m", 90min},    {"1h30m15s", 5415s},
      {"1m0s", 1min},  {"1s500ms", 1500ms}, {"1.5s", 1500ms},  {"0.25h", 15min},    {"1.5m", 90s},
      {"1.0ms", 1ms},  {"0.001s", 1ms},     {"1.50s", 1500ms}, {"007s", 7s},        {"1h2m3s4ms", 3723004ms},
      {"86400s", 24h}, {"1d", 24h},         {"0.0010s", 1ms},  {"86400000ms", 24h}, {"1h0.5m", 3630s}};
  for (auto const& row : table) {
    auto const r = read_duration(row.text, 0ms, 24h);
    ASSERT_EQ(why(r), "accepted") << row.text;
    EXPECT_EQ(std::get<milliseconds>(r), row.value) << row.text;
  }
}

TEST(Duration, HasDaysAndYears) {
  for (std::string_view const text : {"2d", "60d", "1y", "2y"}) {
    auto const r = read_duration(text, 0ms, 24h * 365 * 2);
    ASSERT_EQ(why(r), "accepted") << text;
    EXPECT_EQ(show_duration(std::get<milliseconds>(r)), text);
  }
  EXPECT_EQ(show_duration(24h), "24h");
}

TEST(Duration, RefusesEverythingElse) {
  for (std::string_view const text :
       {"",    " ",    "s",    "ms",    "-1s",    "+1s",  "10 s",   " 10s",      "10s ",      "1us",  "1S",
        "1MS", "1.s",  ".5s",  "1..5s", "1.5.5s", "1m1h", "1s1s",   "1ms1s",     "1h30",      "10s5", "off",
        "ten", "1e3s", "0x1s", "1,5s",  "1.5",    "00.",  "1h 30m", "\xc2\xb5s", "5\xc2\xb5s"})
    EXPECT_EQ(why(read_duration(text, 0ms, 24h)), bad_duration) << text;
}

TEST(Duration, AsksForTheUnitOfABareNumber) {
  auto const bad = std::get<rejection>(read_duration("10", 0ms, 24h));
  EXPECT_EQ(bad.why, "a duration needs its unit");
  EXPECT_EQ(bad.hint, ": say '10s' or '10ms'");
  EXPECT_EQ(why(read_duration("00", 0ms, 24h)), "a duration needs its unit");
}

TEST(Duration, IsNotFinerThanAMillisecond) {
  for (std::string_view const text : {"0.5ms", "1.0005s", "0.0001s", "0.00000000000000001h"})
    EXPECT_EQ(why(read_duration(text, 0ms, 24h)), "a duration cannot be finer than a millisecond") << text;
}

TEST(Duration, StaysWithinItsRangeHoweverLarge) {
  EXPECT_EQ(why(read_duration("0", 1ms, 24h)), "must be between 1ms and 24h");
  for (std::string_view const text : {"24h1ms", "25h", "99999999999999999999h", "18446744073709551616ms",
                                      "18446744073709551615h18446744073709551615m"})
    EXPECT_EQ(why(read_duration(text, 1ms, 24h)), "must be between 1ms and 24h") << text;
}

TEST(Duration, IsShownAsItIsWritten) {
  struct {
    milliseconds value;
    std::string_view text;
  } const table[] = {{0ms, "0s"},    {1ms, "1ms"},   {1500ms, "1500ms"}, {60s, "60s"},   {120s, "120s"}, {5min, "5m"},
                     {301s, "301s"}, {10min, "10m"}, {1h, "1h"},         {90min, "90m"}, {24h, "24h"}};
  for (auto const& row : table) {
    EXPECT_EQ(show_duration(row.value), row.text);
    EXPECT_EQ(std::get<milliseconds>(read_duration(row.text, 0ms, 24h)), row.value);
  }
}

TEST(Size, ReadsEveryWayOfWritingOne) {
  struct {
    std::string_view text;
    std::uint64_t value;
  } const table[] = {{"0", 0},
                     {"1", 1},
                     {"65536", 65536},
                     {"10B", 10},
                     {"64KiB", 65536},
                     {"32MiB", 33554432},
                     {"1GiB", 1073741824},
                     {"1TiB", 1099511627776},
                     {"1KB", 1000},
                     {"1kB", 1000},
                     {"1MB", 1000000},
                     {"1GB", 1000000000},
                     {"1TB", 1000000000000},
                     {"1.5KiB", 1536},
                     {"0.5MiB", 524288},
                     {"1.0B", 1}};
  for (auto const& row : table) {
    auto const r = read_size(row.text, 0, 1ULL << 40);
    ASSERT_EQ(why(r), "accepted") << row.text;
    EXPECT_EQ(std::get<std::uint64_t>(r), row.value) << row.text;
  }
}

TEST(Size, RefusesEverythingElse) {
  for (std::string_view const text : {"", "KiB", "64K", "64k", "64M", "64 KiB", "-1", "+1", "64kib", "64KIB", "1PiB",
                                      "1e3", "0x10", "1.KiB", ".5MiB", "1,5MiB", "64KiB ", "64KiBB", "off"})
    EXPECT_EQ(why(read_size(text, 0, 1024)), bad_size) << text;
  EXPECT_EQ(why(read_size("0.3KiB", 0, 1024)), "a size is a whole number of bytes");
  for (std::string_view const text : {"0", "1023", "2MiB", "99999999999999999999", "99999999999999999999TiB"})
    EXPECT_EQ(why(read_size(text, 1024, 1024 * 1024)), "must be between 1KiB and 1MiB") << text;
}

TEST(Size, IsShownAsItIsWritten) {
  EXPECT_EQ(show_size(0), "0");
  EXPECT_EQ(show_size(1000), "1000");
  EXPECT_EQ(show_size(1024), "1KiB");
  EXPECT_EQ(show_size(1536), "1536");
  EXPECT_EQ(show_size(256ULL << 20), "256MiB");
  EXPECT_EQ(show_size(1ULL << 40), "1TiB");
}

TEST(Integer, TakesDigitsWithinItsRange) {
  EXPECT_EQ(std::get<std::uint64_t>(read_integer("0", 0, 10)), 0U);
  EXPECT_EQ(std::get<std::uint64_t>(read_integer("10", 0, 10)), 10U);
  for (std::string_view const text : {"11", "-1", "18446744073709551616", "99999999999999999999999"})
    EXPECT_EQ(why(read_integer(text, 0, 10)), "must be between 0 and 10") << text;
  for (std::string_view const text : {"", "-", "+1", "1.0", "1e1", "0x1", "1_0", "1,0", " 1", "1 ", "one", "--1"})
    EXPECT_EQ(why(read_integer(text, 0, 10)), "expected an integer, digits only") << text;
  EXPECT_EQ(why(read_integer("010", 0, 10)), "expected an integer without leading zeros");
}

TEST(Boolean, IsTrueOrFalse) {
  for (std::string_view const text : {"true", "True", "TRUE"}) EXPECT_TRUE(std::get<bool>(read_boolean(text)));
  for (std::string_view const text : {"false", "False", "FALSE"}) EXPECT_FALSE(std::get<bool>(read_boolean(text)));
  for (std::string_view const text : {"", "yes", "no", "on", "off", "1", "0", "tRue", "true "})
    EXPECT_EQ(why(read_boolean(text)), "expected true or false") << text;
}

}  // namespace
}  // namespace cooldown::config
