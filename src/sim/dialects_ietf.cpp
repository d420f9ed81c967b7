#include "dialect_parts.hpp"

namespace cooldown::sim {
namespace {

constexpr limit_id requests_5min{resource::requests, *window::of(std::chrono::minutes{5})};

// Hugging Face and the IETF's drafts.

rate_headers_list ietf(const quota_reading* r, std::string_view name, std::int64_t seconds) {
  if (r == nullptr) return {};
  return {{"RateLimit", fmt::format("\"{}\";r={};t={}", name, r->remaining, seconds_up(r->reset_after))},
          {"RateLimit-Policy", fmt::format("\"{}\";q={};w={}", name, r->limit, seconds)}};
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

}  // namespace

std::vector<dialect_profile> ietf_dialects() {
  return {
      {"huggingface", limits({{requests_5min, 500}}), refill_rule::window, 0, huggingface_shown, huggingface_refused},
      {"ietf", limits({{rpm, 60}, {tpm, 40'000}}), refill_rule::window, 0, ietf_shown, ietf_refused},
      {"old-ietf", limits({{rpm, 60}}), refill_rule::window, 0, old_ietf_shown, old_ietf_refused},
  };
}

}  // namespace cooldown::sim
