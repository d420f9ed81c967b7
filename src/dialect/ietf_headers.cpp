#include "ietf_headers.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "cooldown/text/ascii.hpp"

#include "counts.hpp"

namespace cooldown {
namespace {

constexpr std::uint64_t longest_reset = 366ULL * 86'400;  // seconds
constexpr std::size_t most_policies = 16;

/// The value of `key` among parameters separated by `separator`.
std::optional<std::string_view> parameter(std::string_view of, char separator, std::string_view key) {
  std::string_view token;
  while (next_token(of, separator, token)) {
    auto const eq = token.find('=');
    if (eq != std::string_view::npos && iequals(trim(token.substr(0, eq)), key)) return trim(token.substr(eq + 1));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> count(std::optional<std::string_view> text) {
  return text ? exact_count(parse_u64(*text)) : std::nullopt;
}

std::optional<std::uint64_t> remaining(std::optional<std::string_view> text) {
  return text && is_negative_count(*text) ? std::optional<std::uint64_t>{0} : count(text);
}

std::optional<duration> reset(std::optional<std::string_view> text) {
  auto const n = count(text);
  return n && *n <= longest_reset ? std::optional<duration>{std::chrono::seconds{*n}} : std::nullopt;
}

std::string_view name_of_member(std::string_view member) {
  return trim(member.substr(0, member.find(';')));
}

/// The limit that a policy is about; nullopt: none that the proxy can track.
std::optional<limit_id> limit_of_policy(std::string_view member) {
  auto const unit = parameter(member, ';', "qu").value_or("requests");
  bool const of_tokens = icontains(unit, "token") || icontains(name_of_member(member), "token");
  if (icontains(unit, "concurrent") || (!of_tokens && !icontains(unit, "requests"))) return std::nullopt;
  auto const says = [&](std::string_view word) {
    return icontains(unit, word) || icontains(name_of_member(member), word);
  };
  auto const part = says("input")    ? resource::input_tokens
                    : says("output") ? resource::output_tokens
                                     : resource::tokens;
  auto const counts = of_tokens ? part : resource::requests;
  auto const length = parameter(member, ';', "w");
  if (!length) return limit_id{counts, window::minute};
  auto const over = window_in_seconds(*length);
  return over ? std::optional{limit_id{counts, *over}} : std::nullopt;
}

/// The more conservative of two values.
void keep(limit_snapshot* of, const limit_snapshot& s) {
  if (of == nullptr) return;
  if (s.limit && *s.limit > 0) of->limit = std::min(*s.limit, of->limit.value_or(*s.limit));
  if (s.remaining) of->remaining = std::min(*s.remaining, of->remaining.value_or(*s.remaining));
  if (s.reset) of->reset = std::max(*s.reset, of->reset.value_or(*s.reset));
}

struct policy {
  std::string_view name;
  limit_id id;
};

template <class Visitor>
void each_member(header_view headers, std::string_view name, Visitor visit) {
  std::string_view member;
  for (auto const& f : headers)
    if (iequals(f.name, name))
      for (auto rest = f.value; next_token(rest, ',', member);) visit(member);
}

/// RateLimit-Limit: 100, 100;w=60 with RateLimit-Remaining and -Reset, or all three in RateLimit: limit=100, …
limit_snapshot read_old(header_view headers) {
  limit_snapshot found;
  for (auto const& f : headers) {
    auto const value = trim(f.value);
    auto const first = trim(value.substr(0, value.find_first_of(",;")));
    if (iequals(f.name, "ratelimit-limit")) keep(&found, {.limit = count(first), .remaining = {}, .reset = {}});
    if (iequals(f.name, "ratelimit-remaining")) keep(&found, {.limit = {}, .remaining = remaining(first), .reset = {}});
    if (iequals(f.name, "ratelimit-reset")) keep(&found, {.limit = {}, .remaining = {}, .reset = reset(first)});
    if (iequals(f.name, "ratelimit"))
      keep(&found, {.limit = count(parameter(value, ',', "limit")),
                    .remaining = remaining(parameter(value, ',', "remaining")),
                    .reset = reset(parameter(value, ',', "reset"))});
  }
  return found;
}

}  // namespace

void read_ietf_headers(header_view headers, rate_limit_snapshot& out) {
  std::vector<policy> policies;
  rate_limit_snapshot found;
  std::optional old_id{limit_id{resource::requests, window::minute}};
  auto const read_policy = [&](std::string_view member) {
    auto const id = limit_of_policy(member);
    if (id && policies.size() < most_policies) {
      policies.push_back({name_of_member(member), *id});
      keep(found.limits.get(*id), {.limit = count(parameter(member, ';', "q")), .remaining = {}, .reset = {}});
    }
  };
  each_member(headers, "ratelimit-policy", read_policy);
  each_member(headers, "ratelimit", [&](std::string_view member) {
    for (auto const& p : policies)
      if (p.name == name_of_member(member))
        keep(found.limits.get(p.id), {.limit = {},
                                      .remaining = remaining(parameter(member, ';', "r")),
                                      .reset = reset(parameter(member, ';', "t"))});
  });
  auto const old = read_old(headers);
  // Of several policies the one that the first value repeats.
  each_member(headers, "ratelimit-limit", [&](std::string_view member) {
    if (parameter(member, ';', "w") && count(name_of_member(member)) == old.limit) old_id = limit_of_policy(member);
  });
  if (old_id && old.limit) keep(found.limits.get(*old_id), old);
  for (auto const& [id, shown] : found.limits)
    if (auto* const known = shown.limit ? out.limits.get(id) : nullptr; known && !known->any()) *known = shown;
}

}  // namespace cooldown
