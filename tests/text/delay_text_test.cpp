#include "cooldown/text/delay_text.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr wall_time now{std::chrono::hours{490'000}};  // 2025-11-24 16:00:00 UTC, 1764000000

TEST(DelayText, Forms) {
  struct row {
    const char* text;
    std::optional<duration> meaning;
  };
  constexpr auto none = std::nullopt;
  row const rows[] = {
      {"20", 20s},
      {" 20 ", 20s},
      {"20s", 20s},
      {"6m0s", 6min},
      {"1m26.4s", 86'400ms},
      {"250ms", 250ms},
      {"5h", 5h},
      {"1h2m3s", 3723s},
      {"100us", 100us},
      {"1764000010", 10s},          // epoch seconds
      {"1764000010500", 10'500ms},  // epoch milliseconds
      {"1763999999", 0s},           // past
      {"2025-11-24T16:00:05Z", 5s},
      {"2025-11-24T16:00:05.25Z", 5'250ms},
      {"2025-11-24T18:00:05+02:00", 5s},
      {"2025-11-24T10:00:05-06:00", 5s},
      {"2025-11-24T15:00:00Z", 0s},
      {"Mon, 24 Nov 2025 16:01:00 GMT", 60s},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 0s},
      {"", none},
      {"s", none},
      {"5x", none},
      {"1m-5s", none},
      {"-5", none},
      {"-5s", none},
      {"1e400", none},
      {"1e9", none},              // beyond a year
      {"40000000", none},         // beyond a year, before any epoch
      {"9999999999", none},       // an epoch that nanoseconds cannot hold
      {"999999999999", none},     // in seconds
      {"999999999999999", none},  // in milliseconds
      {"31622400", 366 * 24h},    // a year and no more
      {"31622400.000000001", none},
      {"31622400.9", none},
      {"8784h0.5s", none},
      {"2025-02-30T00:00:00Z", none},
      {"2025-11-24T25:00:00Z", none},
      {"2025-11-24 16", none},
      {"Mon, 24 Foo 2025 16:01:00 GMT", none},
      {"1.", 1s},
      {".", none},
      {"9999999999999999999999999999999h", none},
      {"99999999999999999999999999999999999999999999999999999999999999999", none},
  };
  for (auto const& r : rows) EXPECT_EQ(parse_delay(r.text, now), r.meaning) << r.text;
}

TEST(DelayText, Words) {
  EXPECT_EQ(delay_in_words(0s), "less than a second");
  EXPECT_EQ(delay_in_words(1ms), "1 second");
  EXPECT_EQ(delay_in_words(60s), "1 minute");
  EXPECT_EQ(delay_in_words(3661s), "1 hour 1 minute 1 second");
  EXPECT_EQ(delay_in_words(48h + 1ns), "2 days 1 second");
}

TEST(DelayText, DecimalSecondsRoundUp) {
  EXPECT_EQ(decimal_seconds(0s), "0.000");
  EXPECT_EQ(decimal_seconds(1ns), "0.001");
  EXPECT_EQ(decimal_seconds(5'100ms), "5.100");
  EXPECT_EQ(decimal_seconds(62'500us), "0.063");
}

TEST(DelayText, DurationOfSecondsNeverRoundsDown) {
  EXPECT_EQ(duration_of_seconds(1.0), 1s);
  EXPECT_GE(seconds_of(duration_of_seconds(0.1)), 0.1);
  EXPECT_EQ(duration_of_seconds(-1), 0s);
  EXPECT_EQ(duration_of_seconds(1e300), 366 * 24h);
}

}  // namespace
}  // namespace cooldown
