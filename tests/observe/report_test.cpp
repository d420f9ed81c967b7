// Metrics and status: what programs read must parse, whatever names the requests brought.
#include "cooldown/observe/report.hpp"

#include <limits>
#include <map>
#include <set>
#include <sstream>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::observe;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

namespace {

constexpr auto odd_model = "m\"} 1\nforged 2\\";

struct Report : ::testing::Test {
  time_point now{std::chrono::hours{1}};
  stats counts;
  history past;
  limiter_settings settings;
  cerebras_limiter limiter{settings};
  circuit_breaker breaker{breaker_policy{}};

  sources from() { return {.counts = counts, .past = past, .limiter = limiter, .breaker = breaker}; }

  /// One request of the model with headers.
  void use(std::string_view model) {
    ticket_facts f;
    f.scope = {.credential = 1'234'567'890'123ULL, .model = model};
    f.size.max_output_tokens = 10;
    auto const id = std::get<go>(limiter.submit(f, now)).id;
    std::vector<header_field> const fields{{"x-ratelimit-limit-tokens-minute", "1000"},
                                           {"x-ratelimit-remaining-tokens-minute", "400"},
                                           {"x-ratelimit-reset-tokens-minute", "12.5"}};
    limiter.observe(id, {.status = 200, .headers = fields, .error = {}}, now, {});
    access_record ended;
    ended.model = model;
    ended.status = 200;
    counts.record_request(ended);
  }
};

/// Reads the text format as Prometheus does: families with HELP and TYPE, samples with a number each.
std::map<std::string, double> samples_of(const std::string& text) {
  std::map<std::string, double> samples;
  std::set<std::string> families;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      auto const name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(name).second) << "family twice: " << name;
      continue;
    }
    if (line.starts_with("#")) continue;
    // The value follows the closing brace, or the name; braces within quotes do not count.
    std::size_t at = 0;
    bool quoted = false;
    bool braces = false;
    for (; at < line.size(); ++at) {
      if (quoted && line[at] == '\\') {
        ++at;
      } else if (line[at] == '"') {
        quoted = !quoted;
      } else if (!quoted && line[at] == '{') {
        braces = true;
      } else if (!quoted && line[at] == '}') {
        braces = false;
      } else if (!quoted && !braces && line[at] == ' ') {
        break;
      }
    }
    EXPECT_LT(at, line.size()) << line;
    std::size_t used = 0;
    auto const number = line.substr(std::min(line.size(), at + 1));
    double const value = number == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(number, &used);
    EXPECT_TRUE(number == "+Inf" || used == number.size()) << line;
    EXPECT_TRUE(samples.emplace(line.substr(0, at), value).second) << "sample twice: " << line;
  }
  return samples;
}

}  // namespace

TEST_F(Report, MetricsParse) {
  use("m");
  counts.responses[200] = 3;
  counts.refusals["queue_full"] = 2;
  auto samples = samples_of(metrics_text(from(), now));
  EXPECT_EQ(samples["cooldown_responses_total{status=\"200\"}"], 3);
  EXPECT_EQ(samples["cooldown_refusals_total{code=\"queue_full\"}"], 2);
  EXPECT_EQ(samples["cooldown_header_parsing_success_total"], 1);
  EXPECT_EQ(samples.count("cooldown_header_parsing_failures_total"), 1U);
  EXPECT_EQ(samples.count("cooldown_dynamic_timings_used_total"), 1U);
  EXPECT_EQ(samples.count("cooldown_fallback_timings_used_total"), 1U);
  EXPECT_EQ(samples["cooldown_circuit_breaker_state{state=\"CLOSED\"}"], 1);
  EXPECT_EQ(samples["cooldown_circuit_breaker_state{state=\"OPEN\"}"], 0);
}

TEST_F(Report, MetricsEscapeModelNames) {
  use(odd_model);
  auto const text = metrics_text(from(), now);
  auto const samples = samples_of(text);
  EXPECT_EQ(samples.count("forged"), 0U);
  EXPECT_EQ(text.find("\nforged"), std::string::npos);
  EXPECT_THAT(text, HasSubstr(R"(model="m\"} 1\nforged 2\\")"));
}

TEST_F(Report, HistogramIsCumulativeAndComplete) {
  for (double const s : {0.0005, 0.005, 0.05, 2.0, 100.0, 1000.0}) counts.record_wait(s, constraint::others_ahead);
  auto samples = samples_of(metrics_text(from(), now));
  double before = 0;
  for (auto const* le : {"0.001", "0.01", "0.1", "0.5", "1", "5", "15", "60", "300", "600", "+Inf"}) {
    auto const name = std::string("cooldown_wait_seconds_bucket{le=\"") + le + "\"}";
    ASSERT_EQ(samples.count(name), 1U) << name;
    EXPECT_GE(samples[name], before);
    before = samples[name];
  }
  EXPECT_EQ(before, 6);
  EXPECT_EQ(samples["cooldown_wait_seconds_count"], 6);
  EXPECT_DOUBLE_EQ(samples["cooldown_wait_seconds_sum"], 1102.0555);
}

TEST_F(Report, ForecastErrorsAreRelative) {
  counts.record_forecast(10, 10.5);  // 5 %
  counts.record_forecast(10, 5);     // half
  counts.record_forecast(0, 0.05);   // of a tenth of a second
  counts.record_forecast(1, 9);      // eight times
  auto samples = samples_of(metrics_text(from(), now));
  auto const below = [&](const char* le) {
    return samples.at(std::string("cooldown_forecast_error_ratio_bucket{le=\"") + le + "\"}");
  };
  EXPECT_EQ(below("0.01"), 0);
  EXPECT_EQ(below("0.1"), 1);
  EXPECT_EQ(below("0.5"), 3);
  EXPECT_EQ(below("3"), 3);
  EXPECT_EQ(below("+Inf"), 4);
  EXPECT_DOUBLE_EQ(samples["cooldown_forecast_error_ratio_sum"], 9.05);
}

TEST_F(Report, StatusIsJson) {
  use("m");
  auto const status = boost::json::parse(status_json(from(), now));
  EXPECT_EQ(status.at("schema").to_number<int>(), 1);
  EXPECT_EQ(status.at("queue").at("length").to_number<int>(), 0);
  EXPECT_EQ(status.at("in_flight").to_number<int>(), 1);
  EXPECT_EQ(status.at("circuit_breaker").at("state").as_string(), "CLOSED");
  auto const& scope = status.at("scopes").as_array().at(0);
  EXPECT_EQ(scope.at("model").as_string(), "m");
  EXPECT_EQ(scope.at("decided_by").as_string(), "headers");
  EXPECT_LT(scope.at("credential").to_number<std::uint64_t>(), 1'000'000U) << "no more than a hint";
  bool found = false;
  for (auto const& b : scope.at("budgets").as_array()) {
    if (b.at("resource").as_string() != "tokens" || b.at("window").as_string() != "minute") continue;
    found = true;
    EXPECT_EQ(b.at("limit").to_number<double>(), 1000);
    EXPECT_TRUE(b.at("reported").as_bool());
    EXPECT_NEAR(b.at("reset_in_seconds").to_number<double>(), 12.5, 0.2);
  }
  EXPECT_TRUE(found);
}

TEST_F(Report, StatusStaysJsonWhateverTheModelIsCalled) {
  for (std::string const model : {odd_model, "\x01\x1f", "\xff\xfe", "\"", "</script>"}) {
    use(model);
    boost::system::error_code ec;
    boost::json::parse(status_json(from(), now), ec);
    EXPECT_FALSE(ec) << ec.message() << " for a model of " << model.size() << " bytes";
  }
}

TEST_F(Report, MetricsStayUtf8WhateverTheModelIsCalled) {
  use("a\xff\xc3(\xe2\x82\xac");
  EXPECT_THAT(metrics_text(from(), now), HasSubstr("model=\"a\xef\xbf\xbd\xef\xbf\xbd(\xe2\x82\xac\""));
}
