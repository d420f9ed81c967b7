#include "cooldown/sim/dialects.hpp"

#include <ctime>

#include "dialect_parts.hpp"

namespace cooldown::sim {
namespace {

constexpr limit_kind rps{resource::requests, period::second};
constexpr limit_kind tps{resource::tokens, period::second};
constexpr limit_kind input_tpm{resource::input_tokens, period::minute};
constexpr limit_kind output_tpm{resource::output_tokens, period::minute};
constexpr limit_kind requests_10s{resource::requests, period::ten_seconds};
constexpr limit_kind requests_5min{resource::requests, period::five_minutes};
constexpr limit_kind requests_month{resource::requests, period::month};

rate_headers_list nothing(const dialect_answer& /*a*/) {
  return {};
}

bool counts_requests(const dialect_refused& no) {
  return no.by.what == resource::requests;
}

std::string_view words_of(limit_kind k) {
  const bool day = k.per == period::day;
  if (k.what == resource::requests) return day ? "requests per day" : "requests per minute";
  if (k.what == resource::input_tokens) return "input tokens per minute";
  if (k.what == resource::output_tokens) return "output tokens per minute";
  return day ? "tokens per day" : "tokens per minute";
}

std::string_view abbreviation_of(limit_kind k) {
  const bool day = k.per == period::day;
  if (k.what == resource::requests) return day ? "RPD" : "RPM";
  if (k.what == resource::input_tokens) return "ITPM";
  if (k.what == resource::output_tokens) return "OTPM";
  return day ? "TPD" : "TPM";
}

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
  const auto text = reached(no, abbreviation_of(no.by), words) +
                    " Visit https://platform.openai.com/account/rate-limits to learn more. You can increase your rate "
                    "limit by adding a payment method to your account at "
                    "https://platform.openai.com/account/billing.";
  return {headers, wrapped(text, counts_requests(no) ? "requests" : "tokens", "rate_limit_exceeded")};
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
  const auto text = reached(no, abbreviation_of(no.by), words_of(no.by)) +
                    " Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing";
  return {headers, wrapped(text, counts_requests(no) ? "requests" : "tokens", "rate_limit_exceeded")};
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

// Mistral: no headers on streams; only the used-up limit on a 429, without a time.

rate_headers_list mistral_shown(const dialect_answer& a) {
  rate_headers_list out;
  if (a.stream) return out;
  add_pair(out, a.find(tpm), "-tokens-minute");
  add_pair(out, a.find(rpm), "-req-minute");
  out.push_back({"x-ratelimit-tokens-query-cost", "100"});
  return out;
}

dialect_429 mistral_refused(const dialect_refused& no) {
  const auto unit = counts_requests(no) ? "-req-minute" : "-tokens-minute";
  return {{{fmt::format("x-ratelimit-limit{}", unit), std::to_string(no.limit)},
           {fmt::format("x-ratelimit-remaining{}", unit), "0"}},
          R"({"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"})"};
}

// Anthropic.

std::string rfc3339(nanoseconds wall) {
  const auto seconds = static_cast<std::time_t>(seconds_up(wall));
  std::tm fields{};
  gmtime_r(&seconds, &fields);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                     fields.tm_hour, fields.tm_min, fields.tm_sec);
}

rate_headers_list anthropic_shown(const dialect_answer& a) {
  rate_headers_list out;
  const auto add = [&](const quota_reading* r, std::string_view unit, std::int64_t step) {
    if (r == nullptr) return;
    const auto name = fmt::format("anthropic-ratelimit-{}", unit);
    out.push_back({name + "-limit", std::to_string(r->limit)});
    out.push_back({name + "-remaining", std::to_string(r->remaining / step * step)});
    out.push_back({name + "-reset", rfc3339(a.wall + r->reset_after)});
  };
  const auto* input = a.find(input_tpm);
  const auto* output = a.find(output_tpm);
  add(a.find(rpm), "requests", 1);
  add(input, "input-tokens", 1'000);
  add(output, "output-tokens", 1'000);
  // The most restrictive of the two.
  const bool less_output = input && output && output->remaining < input->remaining;
  add(less_output ? output : input, "tokens", 1'000);
  return out;
}

dialect_429 anthropic_refused(const dialect_refused& no) {
  auto headers = anthropic_shown(no);
  headers.push_back({"retry-after", std::to_string(seconds_up(no.retry_after))});
  headers.push_back({"x-should-retry", "true"});
  return {headers,
          fmt::format(R"({{"type":"error","error":{{"type":"rate_limit_error","message":"This request would )"
                      R"(exceed your organization's rate limit of {} {} (org: 1, model: m). For details, refer )"
                      R"(to: https://docs.anthropic.com/en/api/rate-limits."}},"request_id":"req_1"}})",
                      no.limit, words_of(no.by))};
}

// Gemini, by its OpenAI path.

dialect_429 gemini_refused(const dialect_refused& no) {
  return {
      {},
      fmt::format(R"([{{"error":{{"code":429,"message":"You exceeded your current quota, please check your plan and )"
                  R"(billing details. For more information on this error, head to: )"
                  R"(https://ai.google.dev/gemini-api/docs/rate-limits.","status":"RESOURCE_EXHAUSTED","details":)"
                  R"([{{"@type":"type.googleapis.com/google.rpc.QuotaFailure"}},)"
                  R"({{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{}s"}}]}}}}])",
                  seconds_up(no.retry_after))};
}

// OpenRouter: headers on a 429 only.

dialect_429 openrouter_refused(const dialect_refused& no) {
  const auto reset = std::chrono::ceil<std::chrono::milliseconds>(no.wall + no.retry_after).count();
  const auto name = no.by.per == period::day ? "free-models-per-day. Add 10 credits to unlock 1000 free model requests "
                                               "per day"
                                             : "free-models-per-min";
  return {{{"X-RateLimit-Limit", std::to_string(no.limit)},
           {"X-RateLimit-Remaining", "0"},
           {"X-RateLimit-Reset", std::to_string(reset)}},
          fmt::format(R"({{"error":{{"message":"Rate limit exceeded: {}. ","code":429,"metadata":{{"headers":{{}},)"
                      R"("provider_name":null}}}},"user_id":"user_1"}})",
                      name)};
}

// Together: by the second.

rate_headers_list together_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_pair(out, a.find(rps), "");
  if (const auto* r = a.find(rps))
    out.push_back({"x-ratelimit-reset", fmt::format("{:.3f}", std::chrono::duration<double>(r->reset_after).count())});
  add_pair(out, a.find(tps), "", "x-tokenlimit-");
  return out;
}

dialect_429 together_refused(const dialect_refused& no) {
  return {together_shown(no),
          wrapped("You have reached the rate limit specific to this model. The maximum rate limit for this model is " +
                      std::to_string(no.limit) + (counts_requests(no) ? " requests" : " tokens") + " per second.",
                  "rate_limit", "rate_limit_exceeded")};
}

// Fireworks: the limits, and never what remains.

rate_headers_list fireworks_shown(const dialect_answer& a) {
  rate_headers_list out;
  if (const auto* r = a.find(tps)) {
    out.push_back({"x-ratelimit-limit-tokens-prompt", std::to_string(r->limit)});
    out.push_back({"x-ratelimit-limit-tokens-generated", std::to_string(r->limit)});
  }
  return out;
}

dialect_429 fireworks_refused(const dialect_refused& no) {
  auto headers = fireworks_shown(no);
  headers.push_back({"retry-after", std::to_string(seconds_up(no.retry_after))});
  return {headers, wrapped("Request didn't generate first token before the given deadline: rate limit exceeded, please "
                           "try again later",
                           "rate_limit_error", "RATE_LIMIT_EXCEEDED")};
}

// xAI: requests a second are a sixtieth of those a minute, and in no header.

rate_headers_list xai_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_pair(out, a.find(rpm), "-requests");
  add_pair(out, a.find(tpm), "-tokens");
  return out;
}

dialect_429 xai_refused(const dialect_refused& no) {
  const auto words = no.by.per == period::second ? "Requests per Second"
                     : counts_requests(no)       ? "Requests per Minute"
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

// NVIDIA NIM.

dialect_429 nvidia_refused(const dialect_refused& /*no*/) {
  return {{}, R"({"status":429,"title":"Too Many Requests"})"};
}

// Z.ai: so many requests at once.

dialect_429 zai_busy(int /*concurrency*/) {
  return {{},
          wrapped("High concurrency usage of this API, please reduce concurrency or contact customer service to "
                  "increase limits",
                  "", "1302")};
}

// Hugging Face and the IETF's drafts.

rate_headers_list ietf(const quota_reading* r, std::string_view name, std::int64_t window) {
  if (r == nullptr) return {};
  return {{"RateLimit", fmt::format("\"{}\";r={};t={}", name, r->remaining, seconds_up(r->reset_after))},
          {"RateLimit-Policy", fmt::format("\"{}\";q={};w={}", name, r->limit, window)}};
}

rate_headers_list huggingface_shown(const dialect_answer& a) {
  return ietf(a.find(requests_5min), "api", 300);
}

dialect_429 huggingface_refused(const dialect_refused& no) {
  return {huggingface_shown(no), R"({"error":"We had to rate limit your requests, please retry later."})"};
}

rate_headers_list ietf_shown(const dialect_answer& a) {
  auto out = ietf(a.find(rpm), "default", 60);
  if (const auto* r = a.find(tpm)) {
    out[0].value += fmt::format(", \"tokens\";r={};t={}", r->remaining, seconds_up(r->reset_after));
    out[1].value += fmt::format(", \"tokens\";q={};w=60;qu=\"tokens\"", r->limit);
  }
  return out;
}

dialect_429 ietf_refused(const dialect_refused& no) {
  auto headers = ietf_shown(no);
  headers.push_back({"retry-after", std::to_string(seconds_up(no.retry_after))});
  return {headers,
          R"({"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Quota exceeded"})"};
}

rate_headers_list old_ietf_shown(const dialect_answer& a) {
  const auto* r = a.find(rpm);
  if (r == nullptr) return {};
  return {{"RateLimit-Limit", std::to_string(r->limit)},
          {"RateLimit-Remaining", std::to_string(r->remaining)},
          {"RateLimit-Reset", std::to_string(seconds_up(r->reset_after))}};
}

dialect_429 old_ietf_refused(const dialect_refused& no) {
  return {old_ietf_shown(no), "Too Many Requests"};
}

// Cohere.

rate_headers_list cohere_shown(const dialect_answer& a) {
  rate_headers_list out;
  add_pair(out, a.find(rpm), "", "x-trial-endpoint-call-");
  if (const auto* r = a.find(requests_month))
    out.push_back({"x-endpoint-monthly-call-limit", std::to_string(r->limit)});
  return out;
}

dialect_429 cohere_refused(const dialect_refused& no) {
  return {
      {},
      fmt::format(R"({{"message":"You are using a Trial key, which is limited to {} API calls / minute. You can )"
                  R"(continue to use the Trial key for free or upgrade to a Production key with higher rate limits at )"
                  R"('https://dashboard.cohere.com/api-keys'."}})",
                  no.limit)};
}

model_limits limits(std::initializer_list<std::pair<limit_kind, std::int64_t>> all) {
  model_limits out;
  out.others = all;
  return out;
}

const std::vector<dialect_profile>& all_dialects() {
  static const std::vector<dialect_profile> all{
      {"openai", limits({{rpm, 60}, {tpm, 40'000}}), refill_rule::bucket, 0, openai_shown, openai_refused},
      {"groq", limits({{rpm, 30}, {rpd, 14'400}, {tpm, 15'000}}), refill_rule::bucket, 0, groq_shown, groq_refused,
       false},
      {"azure", limits({{requests_10s, 60}, {tpm, 60'000}}), refill_rule::window, 0, azure_shown, azure_refused},
      {"github", limits({{rpm, 15}}), refill_rule::sliding, 5, nothing, github_refused, false, github_busy},
      {"mistral", limits({{rpm, 60}, {tpm, 50'000}}), refill_rule::window, 0, mistral_shown, mistral_refused, false},
      {"anthropic", limits({{rpm, 50}, {input_tpm, 30'000}, {output_tpm, 8'000}}), refill_rule::bucket, 0,
       anthropic_shown, anthropic_refused},
      {"gemini", limits({{rpm, 15}}), refill_rule::window, 0, nothing, gemini_refused, false},
      {"openrouter", limits({{rpm, 20}}), refill_rule::window, 0, nothing, openrouter_refused, false},
      {"together", limits({{rps, 10}, {tps, 5'000}}), refill_rule::bucket, 0, together_shown, together_refused},
      {"fireworks", limits({{tps, 5'000}, {rpm, 600}}), refill_rule::bucket, 0, fireworks_shown, fireworks_refused,
       false},
      {"xai", limits({{rps, 8}, {rpm, 480}, {tpm, 200'000}}), refill_rule::bucket, 0, xai_shown, xai_refused, false},
      {"sambanova", limits({{rpm, 30}, {rpd, 12'000}}), refill_rule::bucket, 0, sambanova_shown, sambanova_refused},
      {"nvidia", limits({{rpm, 40}}), refill_rule::sliding, 0, nothing, nvidia_refused, false},
      {"zai", limits({}), refill_rule::bucket, 3, nothing, nvidia_refused, false, zai_busy},
      {"cohere", limits({{rpm, 20}, {requests_month, 100'000}}), refill_rule::sliding, 0, cohere_shown, cohere_refused},
      {"huggingface", limits({{requests_5min, 500}}), refill_rule::window, 0, huggingface_shown, huggingface_refused},
      {"ietf", limits({{rpm, 60}, {tpm, 40'000}}), refill_rule::window, 0, ietf_shown, ietf_refused},
      {"old-ietf", limits({{rpm, 60}}), refill_rule::window, 0, old_ietf_shown, old_ietf_refused},
  };
  return all;
}

}  // namespace

const quota_reading* dialect_answer::find(limit_kind which) const {
  const auto found = std::ranges::find_if(
      readings, [&](const quota_reading& r) { return r.what == which.what && r.per == which.per; });
  return found == readings.end() ? nullptr : &*found;
}

void speak(provider_settings& provider, const dialect_profile& as) {
  provider.dialect = &as;
  provider.limits = as.limits;
  provider.rules.refill = as.refill;
  provider.concurrency = as.concurrency;
}

std::span<const dialect_profile> dialects() {
  return all_dialects();
}

const dialect_profile* find_dialect(std::string_view name) {
  for (const auto& each : all_dialects())
    if (each.name == name) return &each;
  return nullptr;
}

}  // namespace cooldown::sim
