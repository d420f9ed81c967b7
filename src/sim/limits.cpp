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

std::optional<limit_id> limit_id_of(std::string_view key) {
  if (model_limits none; find_limit(none, key) == nullptr) return std::nullopt;
  constexpr std::pair<char, window> windows[] = {
      {'s', window::second}, {'m', window::minute}, {'h', window::hour}, {'d', window::day}};
  const auto counts = key.front() == 'r' ? resource::requests : resource::tokens;
  for (const auto& [letter, over] : windows)
    if (key.back() == letter) return limit_id{counts, over};
  return std::nullopt;
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

std::string name(resource r) {
  std::string text = name_of(r);
  std::ranges::replace(text, '_', '-');
  return text;
}

}  // namespace cooldown::sim
