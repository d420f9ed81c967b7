#include "sim/fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace cooldown::sim {
namespace {

[[noreturn]] void wrong(const yaml_node& node, std::string_view what, const std::string& expected) {
  if (!node.refusal.empty()) throw bad_field{node.at, std::string(what) + ": " + node.refusal};
  throw bad_field{node.at, std::string(what) + " must be " + expected};
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", value);
  return text;
}

std::string shown(bounds b) {
  return "from " + shown(b.low) + " to " + shown(b.high);
}

bool parse(std::string_view text, double& into) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(into);
}

bool is_scalar(const yaml_node& node) {
  return node.type == yaml_node::kind::scalar && node.refusal.empty();
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string all;
  for (auto const name : names) all.append(all.empty() ? "" : ", ").append(name);
  return all;
}

}  // namespace

double number_in(const yaml_node& node, std::string_view what, bounds b) {
  double value = 0;
  if (!is_scalar(node) || !parse(node.text, value) || value < b.low || value > b.high)
    wrong(node, what, "a number " + shown(b));
  return value;
}

int integer_in(const yaml_node& node, std::string_view what, bounds b) {
  double value = 0;
  if (!is_scalar(node) || !parse(node.text, value) || value < b.low || value > b.high || value != std::floor(value))
    wrong(node, what, "a whole number " + shown(b));
  return static_cast<int>(value);
}

bool flag_in(const yaml_node& node, std::string_view what) {
  if (!is_scalar(node) || (node.text != "true" && node.text != "false")) wrong(node, what, "true or false");
  return node.text == "true";
}

nanoseconds duration_in(const yaml_node& node, std::string_view what, bool may_be_negative) {
  constexpr std::pair<std::string_view, double> units[] = {
      {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
  constexpr double longest = 100 * 86'400.0;
  if (is_scalar(node)) {
    std::string_view const text = node.text;
    auto const digits = std::min(text.find_first_not_of("-.0123456789"), text.size());
    double value = 0;
    for (auto const& [unit, seconds] : units) {
      if (text.substr(digits) != unit || !parse(text.substr(0, digits), value)) continue;
      value *= seconds;
      if (std::abs(value) <= longest && (value >= 0 || may_be_negative)) return nanoseconds{std::llround(value * 1e9)};
    }
  }
  wrong(node, what, "a time such as 250ms, 10s or 5m, of at most 100 days");
}

std::string text_in(const yaml_node& node, std::string_view what) {
  if (!is_scalar(node)) wrong(node, what, "a text");
  return node.text;
}

const std::vector<yaml_node>& list_in(const yaml_node& node, std::string_view what) {
  if (node.type != yaml_node::kind::list || !node.refusal.empty()) wrong(node, what, "a list: [...]");
  return node.items;
}

range range_in(const yaml_node& node, std::string_view what, bounds b) {
  if (is_scalar(node)) {
    auto const value = integer_in(node, what, b);
    return {value, value};
  }
  if (node.type != yaml_node::kind::list || node.items.size() != 2)
    wrong(node, what, "a range [low, high] of whole numbers " + shown(b));
  range const r{integer_in(node.items[0], what, b), integer_in(node.items[1], what, b)};
  if (r.low > r.high) wrong(node, what, "a range [low, high], the lower number first");
  return r;
}

duration_range duration_range_in(const yaml_node& node, std::string_view what) {
  if (is_scalar(node)) {
    auto const value = duration_in(node, what);
    return {value, value};
  }
  if (node.type != yaml_node::kind::list || node.items.size() != 2) wrong(node, what, "a time, or a range [1s, 10s]");
  duration_range const r{duration_in(node.items[0], what), duration_in(node.items[1], what)};
  if (r.low > r.high) wrong(node, what, "a range [low, high], the shorter time first");
  return r;
}

void not_one_of(const yaml_node& node, std::string_view what, const std::vector<std::string_view>& known) {
  wrong(node, what, "one of " + joined(known));
}

fields::fields(const yaml_node& map, std::string path) : map_(map), path_(std::move(path)) {
  auto const what = path_.empty() ? std::string("a workload") : path_;
  if (map.type != yaml_node::kind::map || !map.refusal.empty()) wrong(map, what, "a map of fields: {name: value}");
  for (auto one = map.entries.begin(); one != map.entries.end(); ++one) {
    auto const same = [&](auto const& other) { return other.key.text == one->key.text; };
    if (std::any_of(map.entries.begin(), one, same))
      throw bad_field{one->key.at, "'" + one->key.text + "' stands here a second time"};
  }
}

std::string fields::path_of(std::string_view name) const {
  return (path_.empty() ? "" : path_ + ".") + std::string(name);
}

const yaml_node* fields::find(std::string_view name) {
  asked_.push_back(name);
  auto const found =
      std::find_if(map_.entries.begin(), map_.entries.end(), [&](auto const& e) { return e.key.text == name; });
  return found == map_.entries.end() ? nullptr : &found->value;
}

void fields::end() const {
  for (auto const& each : map_.entries) {
    if (std::find(asked_.begin(), asked_.end(), each.key.text) != asked_.end()) continue;
    throw bad_field{each.key.at, "'" + each.key.text + "' is not a field of " + (path_.empty() ? "a workload" : path_) +
                                     "; known: " + joined(asked_)};
  }
}

}  // namespace cooldown::sim
