#include "cooldown/sim/limits.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace cooldown::sim {

std::int64_t* find_limit(model_limits& limits, std::string_view key) {
  if (key == "rps") return &limits.rps;
  if (key == "rpm") return &limits.rpm;
  if (key == "rph") return &limits.rph;
  if (key == "rpd") return &limits.rpd;
  if (key == "tpm") return &limits.tpm;
  if (key == "tph") return &limits.tph;
  if (key == "tpd") return &limits.tpd;
  return nullptr;
}

model_limits scaled(model_limits limits, double factor) {
  for (const auto name : limit_names) {
    auto* const limit = find_limit(limits, name);
    if (*limit > 0) *limit = std::max(1LL, std::llround(static_cast<double>(*limit) * factor));
  }
  for (auto& [kind, value] : limits.others) value = std::max(1LL, std::llround(static_cast<double>(value) * factor));
  return limits;
}

std::optional<limit_kind> limit_kind_of(std::string_view key) {
  constexpr std::string_view periods = "smhd";  // in the order of `period`
  if (model_limits none; find_limit(none, key) == nullptr) return std::nullopt;
  return limit_kind{key.front() == 'r' ? resource::requests : resource::tokens,
                    static_cast<period>(periods.find(key.back()))};
}

namespace {

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= 0 && out <= Number(1e12);
}

bool parse_setting(std::string_view setting, model_limits& limits) {
  const auto equals = setting.find('=');
  if (equals == std::string_view::npos) return false;
  const auto key = setting.substr(0, equals);
  const auto value = setting.substr(equals + 1);
  if (key == "total") return parse_number(value, limits.total_factor) && limits.total_factor <= 1e6;
  auto* limit = find_limit(limits, key);
  return limit != nullptr && parse_number(value, *limit);
}

}  // namespace

std::optional<model_spec> parse_model_spec(std::string_view text, std::string& error) {
  auto comma = text.find(',');
  model_spec spec{std::string(text.substr(0, comma)), {}};
  if (spec.name.empty()) {
    error = "a model needs a name: NAME,rpm=30,tpm=60000";
    return std::nullopt;
  }
  while (comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const auto setting = text.substr(0, comma);
    if (!parse_setting(setting, spec.limits)) {
      error = "model " + spec.name + ": '" + std::string(setting) +
              "' is not one of rps, rpm, rph, rpd, tpm, tph, tpd, total = a number from 0 to 1e12";
      return std::nullopt;
    }
  }
  return spec;
}

nanoseconds length(period p) {
  switch (p) {
    case period::second:
      return std::chrono::seconds{1};
    case period::minute:
      return std::chrono::minutes{1};
    case period::hour:
      return std::chrono::hours{1};
    case period::day:
      return std::chrono::hours{24};
    case period::ten_seconds:
      return std::chrono::seconds{10};
    case period::five_minutes:
      return std::chrono::minutes{5};
    case period::month:
      return std::chrono::hours{24 * 30};
  }
  return std::chrono::seconds{1};
}

std::string_view name(period p) {
  switch (p) {
    case period::second:
      return "second";
    case period::minute:
      return "minute";
    case period::hour:
      return "hour";
    case period::day:
      return "day";
    case period::ten_seconds:
      return "10s";
    case period::five_minutes:
      return "300s";
    case period::month:
      return "month";
  }
  return "";
}

std::string_view name(resource r) {
  switch (r) {
    case resource::requests:
      return "requests";
    case resource::tokens:
      return "tokens";
    case resource::total_tokens:
      return "total-tokens";
    case resource::input_tokens:
      return "input-tokens";
    case resource::output_tokens:
      return "output-tokens";
  }
  return "";
}

}  // namespace cooldown::sim
