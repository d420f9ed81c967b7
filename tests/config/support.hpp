// Helpers for the tests of the configuration.
#pragma once

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/config/load.hpp"

namespace cooldown::config::testing {

inline environment no_environment() {
  return [](std::string_view) { return std::nullopt; };
}

inline environment environment_of(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    auto const it = values.find(name);
    if (it == values.end()) return std::nullopt;
    return it->second;
  };
}

/// Every problem of that text as `--check-config` prints it; none when it is fine.
inline std::vector<std::string> problems_of(std::string_view yaml, const environment& env = no_environment()) {
  auto const result = parse(yaml, "f", env);
  std::vector<std::string> lines;
  if (auto const* found = std::get_if<problems>(&result))
    for (auto const& p : *found) lines.push_back(p.text());
  return lines;
}

/// The settings of a text that must be fine.
inline settings settings_of(std::string_view yaml, const environment& env = no_environment()) {
  auto result = parse(yaml, "f", env);
  for (auto const& line : problems_of(yaml, env)) ADD_FAILURE() << line;
  return std::holds_alternative<settings>(result) ? std::get<settings>(result) : settings{};
}

/// A file of the source tree, by its path from the top.
inline std::string source_file(const std::string& path) {
  std::ifstream in(std::string(COOLDOWN_SOURCE_DIR) + "/" + path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace cooldown::config::testing
