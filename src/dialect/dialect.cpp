#include "cooldown/dialect/dialect.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "cooldown/text/ascii.hpp"

namespace cooldown {
namespace {

constexpr std::array<const char*, dialect_count> names{
    "auto",       "openai",   "cerebras",  "groq",      "azure",  "mistral", "anthropic",   "gemini",
    "openrouter", "together", "fireworks", "sambanova", "nvidia", "cohere",  "huggingface", "ietf"};

struct mark {
  std::string_view text;  // lower case
  dialect of;
};

// Ends of host names.
constexpr mark hosts[] = {
    {"openai.com", dialect::openai},
    {"cerebras.ai", dialect::cerebras},
    {"groq.com", dialect::groq},
    {"openai.azure.com", dialect::azure},
    {"services.ai.azure.com", dialect::azure},
    {"models.ai.azure.com", dialect::azure},
    {"inference.ai.azure.com", dialect::azure},
    {"models.github.ai", dialect::azure},
    {"mistral.ai", dialect::mistral},
    {"anthropic.com", dialect::anthropic},
    {"generativelanguage.googleapis.com", dialect::gemini},
    {"openrouter.ai", dialect::openrouter},
    {"together.xyz", dialect::together},
    {"together.ai", dialect::together},
    {"fireworks.ai", dialect::fireworks},
    {"sambanova.ai", dialect::sambanova},
    {"nvidia.com", dialect::nvidia},
    {"cohere.com", dialect::cohere},
    {"cohere.ai", dialect::cohere},
    {"huggingface.co", dialect::huggingface},
};

// Starts of header names, the most telling first.
constexpr mark header_marks[] = {
    {"anthropic-ratelimit-", dialect::anthropic},
    {"x-ratelimit-renewalperiod-", dialect::azure},
    {"apim-request-id", dialect::azure},
    {"x-groq-", dialect::groq},
    {"x-tokenlimit-", dialect::together},
    {"x-trial-endpoint-call-", dialect::cohere},
    {"x-endpoint-monthly-call-", dialect::cohere},
    {"x-ratelimit-limit-tokens-prompt", dialect::fireworks},
    {"x-ratelimit-over-limit", dialect::fireworks},
    {"x-ratelimit-limit-req-", dialect::mistral},
    {"x-ratelimit-limit-tokens-", dialect::cerebras},
    {"openai-", dialect::openai},
    {"x-ratelimit-limit-requests-day", dialect::sambanova},
    {"x-ratelimit-limit-tokens", dialect::openai},
    {"ratelimit-policy", dialect::ietf},
    {"ratelimit", dialect::ietf},
};

}  // namespace

const char* name_of(dialect d) {
  return names[static_cast<std::size_t>(d)];
}

std::optional<dialect> dialect_named(std::string_view name) {
  auto const* const found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<dialect>(found - names.begin());
}

dialect dialect_of_host(std::string_view host) {
  for (auto const& [end, of] : hosts) {
    if (host.size() < end.size() || !iequals(host.substr(host.size() - end.size()), end)) continue;
    if (host.size() == end.size() || host[host.size() - end.size() - 1] == '.') return of;
  }
  return dialect::automatic;
}

dialect dialect_of_headers(header_view headers) {
  for (auto const& known : header_marks) {
    auto const begins_so = [&](const header_field& f) { return istarts_with(f.name, known.text); };
    if (std::ranges::any_of(headers, begins_so)) return known.of;
  }
  return dialect::automatic;
}

unnamed_windows windows_of(dialect d) {
  switch (d) {
    case dialect::groq:
    case dialect::openrouter:
      return {.requests = window::day, .tokens = window::minute};
    case dialect::together:
    case dialect::fireworks:
      return {.requests = window::second, .tokens = window::second};
    default:
      return {};
  }
}

}  // namespace cooldown
