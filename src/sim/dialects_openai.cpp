#include "dialect_parts.hpp"

namespace cooldown::sim {
namespace {

constexpr limit_id requests_10s{resource::requests, *window::of(std::chrono::seconds{10})};

// OpenAI.

rate_headers_list openai_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_with_reset(out, a.find(rpm), "-requests");
  add_with_reset(out, a.find(tpm), "-tokens");
  return out;
}

dialect_429 openai_refused(const dialect_refused& no) {
  auto headers = openai_shown(no);
  headers.push_back({"retry-after", std::to_string(seconds_up(no.retry_after))});
  headers.push_back(
      {"retry-after-ms", std::to_string(std::chrono::ceil<std::chrono::milliseconds>(no.retry_after).count())});
  const auto words = counts_requests(no) ? "requests per min" : "tokens per min";
  return {headers, reached(no, words,
                           "Visit https://platform.openai.com/account/rate-limits to learn more. You can increase your "
                           "rate limit by adding a payment method to your account at "
                           "https://platform.openai.com/account/billing.")};
}

// Groq: requests are those of a day, and those of a minute are in no header.

rate_headers_list groq_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_with_reset(out, a.find(rpd), "-requests");
  add_with_reset(out, a.find(tpm), "-tokens");
  return out;
}

dialect_429 groq_refused(const dialect_refused& no) {
  auto headers = groq_shown(no);
  headers.push_back(
      {"retry-after", fmt::format("{:.2f}", std::chrono::duration<double>(no.retry_after).count() + 0.01)});
  return {headers, reached(no, words_of(no.by),
                           "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing")};
}

// Azure OpenAI: a reset of zero means that the limit is not used up, or that nothing is said.

void add_azure(rate_headers_list& out, const quota_reading* r, std::string_view unit, std::string_view period) {
  add_pair(out, r, unit);
  add_reset(out, r, unit, "0");
  out.push_back({fmt::format("x-ratelimit-renewalperiod{}", unit), std::string(period)});
}

rate_headers_list azure_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_azure(out, a.find(requests_10s), "-requests", "10");
  add_azure(out, a.find(tpm), "-tokens", "60");
  return out;
}

dialect_429 azure_refused(const dialect_refused& no) {
  auto headers = azure_shown(no);
  headers.push_back({"retry-after", "1"});
  headers.push_back({"retry-after-ms", "0"});
  headers.push_back({"x-ratelimit-type", counts_requests(no) ? "Requests" : "Tokens"});
  return {
      headers,
      R"({"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API )"
      R"(version 2024-10-21 have exceeded token rate limit of your current AIServices S0 pricing tier. Please retry )"
      R"(after 1 second. For Free Account customers, upgrade to Pay as you Go here: https://aka.ms/429TrialUpgrade."}})"};
}

// GitHub Models.

dialect_429 github_refused(const dialect_refused& no) {
  const auto wait = std::to_string(seconds_up(no.retry_after));
  return {{{"retry-after", wait}, {"x-ratelimit-type", "UserByMinute"}, {"x-ratelimit-timeremaining", wait}},
          fmt::format(R"({{"error":{{"code":"RateLimitReached","message":"Rate limit of {} per 60s exceeded for )"
                      R"(UserByMinute. Please wait {} seconds before retrying.","details":"Rate limit of {} per 60s )"
                      R"(exceeded for UserByMinute."}}}})",
                      no.limit, wait, no.limit)};
}

dialect_429 github_busy(int concurrency) {
  return {{{"retry-after", "0"}, {"x-ratelimit-type", "UserConcurrentRequests"}, {"x-ratelimit-timeremaining", "0"}},
          fmt::format(R"({{"error":{{"code":"RateLimitReached","message":"Rate limit of {} per 0s exceeded for )"
                      R"(UserConcurrentRequests. Please wait 0 seconds before retrying."}}}})",
                      concurrency)};
}

// xAI: requests a second are a sixtieth of those a minute, and in no header.

rate_headers_list xai_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_pair(out, a.find(rpm), "-requests");
  add_pair(out, a.find(tpm), "-tokens");
  return out;
}

dialect_429 xai_refused(const dialect_refused& no) {
  const auto words = no.by.over == window::second ? "Requests per Second"
                     : counts_requests(no)        ? "Requests per Minute"
                                                  : "Tokens per Minute";
  return {{},
          fmt::format(R"({{"code":"Some resource has been exhausted","error":"Too many requests for team t and model )"
                      R"(m. Your team's rate limit is {} (actual/limit): {}/{}."}})",
                      words, no.used + no.requested, no.limit)};
}

// SambaNova: requests only.

rate_headers_list sambanova_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_with_reset(out, a.find(rpm), "-requests");
  add_with_reset(out, a.find(rpd), "-requests-day");
  return out;
}

dialect_429 sambanova_refused(const dialect_refused& no) {
  return {sambanova_shown(no), wrapped("Rate limit exceeded", "rate_limit_error", "rate_limit_exceeded")};
}

}  // namespace

std::vector<dialect_profile> openai_dialects() {
  return {
      {"openai", limits({{rpm, 60}, {tpm, 40'000}}), refill_rule::bucket, 0, openai_shown, openai_refused},
      {"groq", limits({{rpm, 30}, {rpd, 14'400}, {tpm, 15'000}}), refill_rule::bucket, 0, groq_shown, groq_refused,
       false},
      {"azure", limits({{requests_10s, 60}, {tpm, 60'000}}), refill_rule::window, 0, azure_shown, azure_refused},
      {"github", limits({{rpm, 15}}), refill_rule::sliding, 5, nothing, github_refused, false, github_busy},
      {"xai", limits({{rps, 8}, {rpm, 480}, {tpm, 200'000}}), refill_rule::bucket, 0, xai_shown, xai_refused, false},
      {"sambanova", limits({{rpm, 30}, {rpd, 12'000}}), refill_rule::bucket, 0, sambanova_shown, sambanova_refused},
  };
}

}  // namespace cooldown::sim
