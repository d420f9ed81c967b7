#include "cooldown/sim/fault.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace cooldown::sim {
namespace {

struct kind_entry {
  std::string_view name;
  fault_kind kind;
  int default_argument;
};

constexpr std::array<kind_entry, fault_kind_count> kinds{{
    {"status", fault_kind::status, 500},
    {"load", fault_kind::load, 0},
    {"payment", fault_kind::payment, 0},
    {"reset", fault_kind::reset, 0},
    {"stall", fault_kind::stall, 0},
    {"garbage", fault_kind::garbage, 0},
    {"delay", fault_kind::delay, 1000},
    {"reset-mid-stream", fault_kind::reset_mid_stream, 3},
    {"close-mid-body", fault_kind::close_mid_body, 3},
    {"bad-chunk", fault_kind::bad_chunk, 1},
    {"in-stream-error", fault_kind::in_stream_error, 3},
    {"bad-headers", fault_kind::bad_headers, 0},
    {"no-usage", fault_kind::no_usage, 0},
}};

template <class Number>
bool parse_number(std::string_view text, Number low, Number high, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= low && out <= high;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string all_kinds() {
  std::string names;
  for (const auto& entry : kinds) names.append(names.empty() ? "" : ", ").append(entry.name);
  return names;
}

}  // namespace

bool fault_plan::any() const {
  return std::any_of(arguments_.begin(), arguments_.end(), [](const auto& each) { return each.has_value(); });
}

std::optional<fault> parse_fault(std::string_view text, std::string& error) {
  auto rest = trim(text);
  fault result;
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    if (!parse_number(rest.substr(at + 1), 0.0, 1.0, result.probability)) {
      error = "'" + std::string(text) + "': the probability after @ must be from 0 to 1";
      return std::nullopt;
    }
    rest = rest.substr(0, at);
  }
  const auto equals = rest.find('=');
  const auto* entry =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& each) { return each.name == rest.substr(0, equals); });
  if (entry == kinds.end()) {
    error = "'" + std::string(text) + "': the fault must be one of " + all_kinds();
    return std::nullopt;
  }
  result.kind = entry->kind;
  result.argument = entry->default_argument;
  const bool is_status = entry->kind == fault_kind::status;
  const int low = is_status ? 200 : 0;
  const int high = is_status ? 599 : std::numeric_limits<int>::max();
  if (equals != std::string_view::npos && !parse_number(rest.substr(equals + 1), low, high, result.argument)) {
    error = "'" + std::string(text) + "': the argument after = must be a whole number" +
            (is_status ? " from 200 to 599" : "");
    return std::nullopt;
  }
  return result;
}

fault_plan draw_faults(const std::vector<fault>& faults, std::string_view header, std::mt19937_64& random) {
  fault_plan plan;
  for (const auto& each : faults) {
    const bool hit = each.probability >= 1 || std::uniform_real_distribution<double>{}(random) < each.probability;
    if (hit) plan.add(each);
  }
  std::string ignored;
  while (!header.empty()) {
    const auto comma = header.find(',');
    if (const auto own = parse_fault(header.substr(0, comma), ignored)) plan.add(*own);
    header = comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
  }
  return plan;
}

}  // namespace cooldown::sim
