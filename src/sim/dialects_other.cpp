#include <ctime>

#include "dialect_parts.hpp"

namespace cooldown::sim {
namespace {

constexpr limit_id tps{resource::tokens, window::second};
constexpr limit_id input_tps{resource::input_tokens, window::second};
constexpr limit_id output_tps{resource::output_tokens, window::second};
constexpr limit_id input_tpm{resource::input_tokens, window::minute};
constexpr limit_id output_tpm{resource::output_tokens, window::minute};
constexpr limit_id requests_month{resource::requests, window::month};

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
  const auto name = no.by.over == window::day
                        ? "free-models-per-day. Add 10 credits to unlock 1000 free model requests "
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
  if (const auto* r = a.find(input_tps)) out.push_back({"x-ratelimit-limit-tokens-prompt", std::to_string(r->limit)});
  if (const auto* r = a.find(output_tps))
    out.push_back({"x-ratelimit-limit-tokens-generated", std::to_string(r->limit)});
  return out;
}

dialect_429 fireworks_refused(const dialect_refused& no) {
  auto headers = fireworks_shown(no);
  headers.push_back({"retry-after", std::to_string(seconds_up(no.retry_after))});
  return {headers, wrapped("Request didn't generate first token before the given deadline: rate limit exceeded, please "
                           "try again later",
                           "rate_limit_error", "RATE_LIMIT_EXCEEDED")};
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

}  // namespace

std::vector<dialect_profile> other_dialects() {
  return {
      {"mistral", limits({{rpm, 60}, {tpm, 50'000}}), refill_rule::window, 0, mistral_shown, mistral_refused, false},
      {"anthropic", limits({{rpm, 50}, {input_tpm, 30'000}, {output_tpm, 8'000}}), refill_rule::bucket, 0,
       anthropic_shown, anthropic_refused},
      {"gemini", limits({{rpm, 15}}), refill_rule::window, 0, nothing, gemini_refused, false},
      {"openrouter", limits({{rpm, 20}}), refill_rule::window, 0, nothing, openrouter_refused, false},
      {"together", limits({{rps, 10}, {tps, 5'000}}), refill_rule::bucket, 0, together_shown, together_refused},
      {"fireworks", limits({{input_tps, 5'000}, {output_tps, 2'000}, {rpm, 600}}), refill_rule::bucket, 0,
       fireworks_shown, fireworks_refused, false},
      {"nvidia", limits({{rpm, 40}}), refill_rule::sliding, 0, nothing, nvidia_refused, false},
      {"zai", limits({}), refill_rule::bucket, 3, nothing, nvidia_refused, false, zai_busy},
      {"cohere", limits({{rpm, 20}, {requests_month, 100'000}}), refill_rule::sliding, 0, cohere_shown, cohere_refused},
  };
}

}  // namespace cooldown::sim
