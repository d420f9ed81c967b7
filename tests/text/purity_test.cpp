// What decides does no I/O and asks no clock, and knows nothing of the layers above it: its sources are read to be
// sure.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

struct layer {
  std::string name;
  std::vector<std::string> may_include;  // of our own, beside itself and <cooldown/time.hpp>
};

const std::vector<layer> layers = {
    {"text", {}},
    {"limit", {"text"}},
    {"dialect", {"text", "limit"}},
    {"exchange", {"text"}},
    {"schedule", {"text", "limit", "dialect", "exchange"}},
};

std::vector<std::filesystem::path> sources_of(const layer& of) {
  std::vector<std::filesystem::path> found;
  for (auto const* const root : {"/include/cooldown/", "/src/"})
    for (auto const& entry : std::filesystem::directory_iterator(COOLDOWN_SOURCE_DIR + (root + of.name)))
      if (entry.path().extension() == ".hpp" || entry.path().extension() == ".cpp") found.push_back(entry.path());
  return found;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Purity, WhatDecidesUsesOnlyTheStandardLibraryAndNoClock) {
  for (auto const& l : layers) {
    auto const files = sources_of(l);
    EXPECT_GE(files.size(), 4U) << l.name;
    for (auto const& file : files)
      for (auto const* const forbidden : {"boost/", "spdlog/", "fmt/", "yaml-cpp/", "simdjson", "::now(", "<thread>",
                                          "<iostream>", "<fstream>", "sys/"})
        EXPECT_EQ(text_of(file).find(forbidden), std::string::npos) << file << " has " << forbidden;
  }
}

/// The layers that a file includes headers of.
std::vector<std::string> layers_included_by(const std::filesystem::path& file) {
  std::string const start = "#include \"cooldown/";
  auto const text = text_of(file);
  std::vector<std::string> found;
  for (auto at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    auto const name = text.substr(at + start.size(), text.find('"', at + start.size()) - at - start.size());
    if (auto const slash = name.find('/'); slash != std::string::npos) found.push_back(name.substr(0, slash));
  }
  return found;
}

TEST(Purity, LayersIncludeOnlyWhatIsBelowThem) {
  for (auto const& l : layers)
    for (auto const& file : sources_of(l))
      for (auto const& other : layers_included_by(file)) {
        bool const allowed = other == l.name || std::ranges::find(l.may_include, other) != l.may_include.end();
        EXPECT_TRUE(allowed) << file << " includes " << other;
      }
}

}  // namespace
