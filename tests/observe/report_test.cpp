// Metrics and status can be parsed, whatever names requests contain.
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
  failure_rate failures;
  held_requests held;
  names called;

  sources from() {
    return {.counts = counts,
            .past = past,
            .called = called,
            .destinations = {
                {.name = "cerebras", .limiter = limiter, .breaker = breaker, .failures = failures, .held = held}}};
  }

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

TEST_F(Report, KeysAndClientsHaveTheirNamesInStatusAndMetrics) {
  called.see(1'234'567'890'123ULL, [] { return std::string("batch"); });
  use("m");
  access_record ended;
  ended.model = "m";
  ended.status = 200;
  ended.who = "user ann";
  ended.tokens = 70;
  counts.record_request(ended);
  past.record(ended, {});
  auto const status = boost::json::parse(status_json(from(), now));
  EXPECT_EQ(status.at("scopes").at(0).at("key"), "batch");
  EXPECT_EQ(status.at("recent").at(0).at("client_name"), "user ann");
  EXPECT_EQ(status.at("clients").at(0).at("name"), "user ann");
  EXPECT_EQ(status.at("clients").at(0).at("tokens_used").to_number<int>(), 70);
  auto const text = metrics_text(from(), now);
  EXPECT_THAT(text, HasSubstr("cooldown_scope_in_flight_requests{model=\"m\",credential=\"batch\"} 1"));
  EXPECT_THAT(text, HasSubstr("cooldown_client_used_tokens_total{client=\"user ann\"} 70"));
}

TEST_F(Report, ClientsThatWereNeverAnsweredAreNotNamed) {
  for (int i = 0; i < 1000; ++i) {
    access_record ended;
    ended.status = i < 100 ? 200 : 401;
    ended.who = "user " + std::to_string(i);
    counts.record_request(ended);
  }
  EXPECT_EQ(counts.clients.size(), stats::most_clients + 1);
  EXPECT_EQ(counts.clients.at("others").requests, 1000 - stats::most_clients);
}

TEST_F(Report, ARequestHeldAfterItsReleaseWaits) {
  use("m");
  held_mark const mark(held, {.credential = 1'234'567'890'123ULL, .model = "m", .cost = 20, .submitted = now - 3s});
  for (int i = 0; i < 5; ++i) breaker.failed({}, now);
  auto const status = boost::json::parse(status_json(from(), now + 20s));
  EXPECT_EQ(status.at("queue").at("length").to_number<int>(), 1);
  EXPECT_EQ(status.at("in_flight").to_number<int>(), 0);
  EXPECT_NEAR(status.at("circuit_breaker").at("retry_in_seconds").to_number<double>(), 40, 0.1);
  auto const& scope = status.at("scopes").at(0);
  EXPECT_EQ(scope.at("queued").to_number<int>(), 1);
  EXPECT_EQ(scope.at("in_flight").to_number<int>(), 0);
  EXPECT_EQ(scope.at("held_by").at("code"), "circuit_breaker");
  auto const& ticket = scope.at("waiting").at(0);
  EXPECT_EQ(ticket.at("held_by").at("code"), "circuit_breaker");
  EXPECT_NEAR(ticket.at("waited_seconds").to_number<double>(), 23, 0.1);
  EXPECT_NEAR(ticket.at("expected_in_seconds").to_number<double>(), 40, 0.1);
  auto const tested = boost::json::parse(status_json(from(), now + 70s));
  auto const& later = tested.at("scopes").at(0).at("waiting").at(0);
  EXPECT_TRUE(later.at("expected_in_seconds").is_null()) << "nobody knows how long the test takes";
  EXPECT_EQ(later.at("sent_when"), "the provider is back");
}

TEST_F(Report, NothingThatWaitsIsPromisedToGoInNoTime) {
  settings.max_in_flight = 1;
  limiter.configure(settings, now);
  use("m");
  ticket_facts f;
  f.scope = {.credential = 1'234'567'890'123ULL, .model = "m"};
  f.size.max_output_tokens = 10;
  ASSERT_TRUE(std::holds_alternative<queued>(limiter.submit(f, now)));
  for (auto const later : {0s, 60s}) {
    auto const status = boost::json::parse(status_json(from(), now + later));
    auto const& ticket = status.at("scopes").at(0).at("waiting").at(0);
    EXPECT_EQ(ticket.at("held_by").at("code"), "in_flight");
    auto const& expected = ticket.at("expected_in_seconds");
    if (expected.is_null()) {
      EXPECT_EQ(ticket.at("sent_when"), "another request ends");
    } else {
      EXPECT_GT(expected.to_number<double>(), 0);
    }
  }
}

TEST_F(Report, FailuresAreARateWithTheLastCause) {
  for (int i = 0; i < 9; ++i) failures.worked(now);
  failures.failed(now, "status 503");
  auto const upstream = [&](time_point at) { return boost::json::parse(status_json(from(), at)).at("upstream"); };
  auto const soon = upstream(now + 4s);
  EXPECT_EQ(soon.at("recent").at("attempts").to_number<int>(), 10);
  EXPECT_EQ(soon.at("recent").at("failures").to_number<int>(), 1);
  EXPECT_EQ(soon.at("last_failure").at("cause"), "status 503");
  EXPECT_NEAR(soon.at("last_failure").at("seconds_ago").to_number<double>(), 4, 0.1);
  auto const later = upstream(now + 301s);
  EXPECT_EQ(later.at("recent").at("attempts").to_number<int>(), 0) << "forgotten after five minutes";
  EXPECT_EQ(later.at("last_failure").at("cause"), "status 503");
}
