// config.yaml.example and docs/configuration.md agree with the loader's table of keys.
#include <algorithm>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace cooldown::config {
namespace {

using ::testing::ElementsAreArray;
using testing::environment_of;
using ::testing::HasSubstr;
using testing::problems_of;
using testing::settings_of;
using testing::source_file;

struct example_key {
  std::string path;
  std::string documented_default;  // what the comment above it says
};

/// The keys of a file in block style, by indentation alone: no other reading of YAML is asked here.
std::vector<example_key> keys_of_example() {
  std::istringstream in(source_file("config.yaml.example"));
  std::vector<example_key> found;
  std::vector<std::string> sections;
  std::string fallback;
  for (std::string line; std::getline(in, line);) {
    auto const indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    auto const said = line.find("Default: ");
    if (line[indent] == '#') {
      if (said != std::string::npos) fallback = line.substr(said + 9);
      continue;
    }
    auto const colon = line.find(':');
    auto const name = line.substr(indent, colon - indent);
    sections.resize(indent / 2);
    if (colon + 1 == line.size()) {
      sections.push_back(name);
      continue;
    }
    std::string path;
    for (auto const& s : sections) path += s + '.';
    found.push_back({path + name, fallback});
    fallback.clear();
  }
  return found;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Config, ExampleHasEveryKeyInOrder) {
  std::vector<std::string> paths;
  for (auto const& k : keys_of_example()) paths.push_back(k.path);
  EXPECT_THAT(paths, ElementsAreArray(known_keys()));
}

TEST(Config, ExampleSetsUseHeaders) {
  auto const s = settings_of(source_file("config.yaml.example"));
  EXPECT_TRUE(s.cerebras.rate_limits.use_headers);
  EXPECT_FALSE(settings{}.cerebras.rate_limits.use_headers);
}

TEST(Config, ExampleIsTheDefaultsButForUseHeaders) {
  settings expected;
  expected.cerebras.rate_limits.use_headers = true;
  EXPECT_EQ(settings_of(source_file("config.yaml.example")), expected);
}

TEST(Config, ExampleTakesTheKeyFromTheEnvironment) {
  auto const s = settings_of(source_file("config.yaml.example"), environment_of({{"CEREBRAS_API_KEY", "csk-1"}}));
  EXPECT_EQ(s.cerebras.api_key, "csk-1");
}

TEST(Config, ExampleCommentsTellTheDefaults) {
  std::map<std::string, std::string> fallbacks;
  for (auto const& k : key_reference()) fallbacks[k.path] = k.fallback == "\"\"" ? "empty" : k.fallback;
  for (auto const& k : keys_of_example()) EXPECT_EQ(k.documented_default, fallbacks[k.path]) << k.path;
}

TEST(Config, DocumentationHasARowForEveryKeyWithTypeDefaultAndRange) {
  auto const lines = lines_of(source_file("docs/configuration.md"));
  for (auto const& k : key_reference()) {
    auto const row = "| `" + k.path + "` | " + k.kind + " | `" + k.fallback + "` | " + k.range + " | ";
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](auto const& line) { return line.starts_with(row); }))
        << row;
  }
}

TEST(Config, DocumentationHasNoOtherKeys) {
  auto const known = known_keys();
  std::size_t rows = 0;
  for (auto const& line : lines_of(source_file("docs/configuration.md"))) {
    auto const end = line.find("` | ");
    if (!line.starts_with("| `") || end == std::string::npos || line.find("://") < end) continue;
    bool const is_known = std::find(known.begin(), known.end(), line.substr(3, end - 3)) != known.end();
    if (line.find('.') > end && !is_known) continue;
    ++rows;
    EXPECT_TRUE(is_known) << line;
  }
  EXPECT_EQ(rows, known.size());
}

TEST(Config, DocumentationShowsErrorsAsTheyAre) {
  auto const text = source_file("docs/configuration.md");
  auto const result = parse(
      "server:\n"
      "  port: 80800\n"
      "  header_timeout: 10\n"
      "cerebras:\n"
      "  tmp_limit: 60000\n"
      "  api_key: ${CEREBRAS_API_KEY}\n"
      "  queue:\n"
      "    max_bytes:  1MiB\n",
      "config.yaml", testing::no_environment());
  std::string block;
  for (auto const& p : std::get<problems>(result)) block += p.text() + '\n';
  EXPECT_THAT(text, HasSubstr("```\n" + block + "```\n"));
}

TEST(Config, DocumentationExamplesOfTheEnvironmentAreRight) {
  auto const text = source_file("docs/configuration.md");
  auto const begin = text.find("```yaml\n") + 8;
  auto const s = settings_of(text.substr(begin, text.find("```", begin) - begin),
                             environment_of({{"CEREBRAS_API_KEY", "k"}, {"TPM", "7"}}));
  EXPECT_EQ(s.cerebras.api_key, "k");
  EXPECT_EQ(s.cerebras.base_url, origin{});
  EXPECT_EQ(s.cerebras.tpm_limit, 7U);
}

}  // namespace
}  // namespace cooldown::config
