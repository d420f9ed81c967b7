// Reads the fields of one YAML map. Wrong types, values out of range and unknown fields are errors with their lines.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cooldown/sim/provider_settings.hpp"

#include "config/yaml_tree.hpp"

namespace cooldown::sim {

using config::yaml_node;

/// Thrown to end the reading.
struct bad_field {
  config::place at;
  std::string message;
};

/// Inclusive.
struct bounds {
  double low = 0;
  double high = 1e12;
};
inline constexpr bounds shares{0, 1};

double number_in(const yaml_node& node, std::string_view what, bounds b = {});
int integer_in(const yaml_node& node, std::string_view what, bounds b = {0, 1e9});
bool flag_in(const yaml_node& node, std::string_view what);
/// "250ms", "2500us", "10s", "5m", "1h", also with a fraction.
nanoseconds duration_in(const yaml_node& node, std::string_view what, bool may_be_negative = false);
std::string text_in(const yaml_node& node, std::string_view what);
const std::vector<yaml_node>& list_in(const yaml_node& node, std::string_view what);
/// [low, high], or one value for both.
range range_in(const yaml_node& node, std::string_view what, bounds b = {0, 1e9});
duration_range duration_range_in(const yaml_node& node, std::string_view what);

template <class Value>
using choices = std::vector<std::pair<std::string_view, Value>>;
[[noreturn]] void not_one_of(const yaml_node& node, std::string_view what, const std::vector<std::string_view>& known);

template <class Value>
Value choice_in(const yaml_node& node, std::string_view what, const choices<Value>& among) {
  auto const text = text_in(node, what);
  std::vector<std::string_view> known;
  for (auto const& each : among) {
    if (each.first == text) return each.second;
    known.push_back(each.first);
  }
  not_one_of(node, what, known);
}

/// A map whose fields are read by name; `end` reports the fields that were not read.
class fields {
 public:
  fields(const yaml_node& map, std::string path);

  /// nullptr: the field is absent.
  const yaml_node* find(std::string_view name);
  /// Calls `use(node, path)` if the field is there.
  template <class Use>
  void with(std::string_view name, Use use) {
    if (auto const* const node = find(name)) use(*node, path_of(name));
  }
  void number(std::string_view name, double& into, bounds b = {}) {
    with(name, [&](const yaml_node& n, const std::string& path) { into = number_in(n, path, b); });
  }
  void whole(std::string_view name, std::int64_t& into) {
    with(name, [&](const yaml_node& n, const std::string& path) { into = std::llround(number_in(n, path)); });
  }
  void integer(std::string_view name, int& into, bounds b = {0, 1e9}) {
    with(name, [&](const yaml_node& n, const std::string& path) { into = integer_in(n, path, b); });
  }
  void flag(std::string_view name, bool& into) {
    with(name, [&](const yaml_node& n, const std::string& path) { into = flag_in(n, path); });
  }
  template <class Duration>
  void time(std::string_view name, Duration& into) {
    with(name, [&](const yaml_node& n, const std::string& path) { into = duration_in(n, path); });
  }
  template <class Value>
  void choice(std::string_view name, Value& into, const choices<Value>& among) {
    with(name, [&](const yaml_node& n, const std::string& path) { into = choice_in(n, path, among); });
  }

  void end() const;

 private:
  std::string path_of(std::string_view name) const;

  const yaml_node& map_;
  std::string path_;  // empty: the top
  std::vector<std::string_view> asked_;
};

}  // namespace cooldown::sim
