// For any bytes, the loader answers in time, and without secrets.
#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace cooldown::config {
namespace {

using testing::environment_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::problems_of;
using testing::source_file;

constexpr std::string_view mark = "TOPSECRET";
const environment env = environment_of({{"A", "TOPSECRET-a"}, {"B", "x\r\nTOPSECRET-b: \x01"}, {"NUMBER", "7777"}});

void expect_sane(std::string_view yaml) {
  auto const result = parse(yaml, "f", env);
  auto const* found = std::get_if<problems>(&result);
  if (found == nullptr) return;
  EXPECT_FALSE(found->empty());
  auto const lines = 1 + std::count(yaml.begin(), yaml.end(), '\n');
  for (auto const& p : *found) {
    auto const text = p.text();
    EXPECT_EQ(text.find(mark), std::string::npos) << text << "\nof:\n" << yaml;
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; })) << text;
    EXPECT_FALSE(p.message.empty());
    EXPECT_LE(text.size(), 1000U);
    EXPECT_GE(p.line, 0);
    EXPECT_LE(p.line, lines) << text << "\nof:\n" << yaml;
  }
}

// The engine's numbers are the same everywhere; the standard distributions' are not.
class dice {
 public:
  explicit dice(std::uint32_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  char byte() { return static_cast<char>(engine_() & 0xffU); }

 private:
  std::mt19937 engine_;
};

TEST(ConfigRobustness, RandomBytes) {
  dice d(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text(d.below(200), '\0');
    bool const printable = round % 2 == 0;
    for (auto& c : text) c = printable ? static_cast<char>(' ' + d.below(95)) : d.byte();
    expect_sane(text);
  }
}

TEST(ConfigRobustness, RandomTokens) {
  constexpr std::array<std::string_view, 32> tokens{
      "server", "cerebras", "queue", "port", "host",  "api_key", ": ",    ":",    "\n",   "\n  ", "\n    ",
      "- ",     "? ",       "{",     "}",    "[",     "]",       ", ",    "\"",   "'",    "|\n",  ">-\n",
      "&a ",    "*a ",      "!t ",   "#",    "---\n", "...\n",   "%YAML", "<<: ", "${A}", "${B:-"};
  dice d(2);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (auto n = d.below(40); n > 0; --n) text += tokens[d.below(tokens.size())];
    expect_sane(text);
  }
}

TEST(ConfigRobustness, MutatedExample) {
  auto example = source_file("config.yaml.example");
  // Without its comments a mutation hits something.
  std::string dense;
  for (std::size_t at = 0; at < example.size();) {
    auto const end = std::min(example.find('\n', at), example.size());
    auto const line = example.substr(at, end - at);
    auto const first = line.find_first_not_of(' ');
    if (first != std::string::npos && line[first] != '#') dense += line + '\n';
    at = end + 1;
  }
  auto const key_at = dense.find("${CEREBRAS_API_KEY:-}");
  ASSERT_NE(key_at, std::string::npos);
  dense.replace(key_at, 21, "csk-" + std::string(mark));
  ASSERT_TRUE(problems_of(dense).empty());

  constexpr std::array<std::string_view, 12> splices{"\"", "'",    "\n",   "  ", ": ", "{",
                                                     "}",  "${A}", "${B}", "|",  "\t", "#"};
  dice d(3);
  for (int round = 0; round < 5000; ++round) {
    auto text = dense;
    for (auto n = 1 + d.below(3); n > 0; --n) {
      auto const at = d.below(text.size());
      switch (d.below(4)) {
        case 0:
          text[at] = d.byte();
          break;
        case 1:
          text.erase(at, 1 + d.below(4));
          break;
        case 2:
          text.insert(at, splices[d.below(splices.size())]);
          break;
        default: {
          auto const piece = text.substr(d.below(text.size()), d.below(40));
          // A part of a secret under another key is that key's value.
          if (piece.find(mark) == std::string::npos) text.insert(at, piece);
          break;
        }
      }
    }
    // A mutation of the secret itself makes another word of it.
    if (text.find("csk-" + std::string(mark)) != std::string::npos) expect_sane(text);
  }
}

TEST(ConfigRobustness, HostileShapesEndEarly) {
  auto const times = [](std::string_view piece, std::size_t n) {
    std::string text;
    for (; n > 0; --n) text += piece;
    return text;
  };
  for (std::string_view const piece :
       {"[",   "{", "- ", "? ", "a: ", "{a: ", "[a,", "a:\n", "a: 1\n", "- a\n", "---\n", "&a ",
        "!a ", "'", "\"", "|",  "\n",  " ",    "#",   "a",    ": ",     ",",     "*a ",   "a: |\n  x\n"})
    expect_sane(times(piece, 200'000 / piece.size()));
  expect_sane("{" + times("a: b,", 40'000));
  expect_sane("[" + times("{a: [", 40'000));
  std::string bomb = "a: &a [x]\n";
  for (char c = 'b'; c <= 'z'; ++c)
    bomb += std::string(1, c) + ": &" + c + " [" + times(std::string("*") + static_cast<char>(c - 1) + ", ", 9) + "]\n";
  expect_sane(bomb);
}

TEST(ConfigRobustness, DepthAndCountAndSizeAreBounded) {
  auto const first_problem = [](std::string_view yaml) { return problems_of(yaml).at(0); };
  EXPECT_EQ(first_problem(std::string(100, '[')), "f:1:17: nested too deeply");
  EXPECT_EQ(first_problem(std::string(1024 * 1024 + 1, '#')), "f: larger than 1MiB");
  EXPECT_TRUE(problems_of(std::string(1024 * 1024, '#')).empty());
  std::string many = "[";
  for (int i = 0; i < 10'000; ++i) many += "a,";
  EXPECT_THAT(first_problem(many + "]"), HasSubstr("too many values for a configuration"));
}

TEST(ConfigRobustness, NoValueOfASecretIsTold) {
  for (std::string_view const yaml : {"cerebras: {api_key: [TOPSECRET]}",
                                      "cerebras: {api_key: {TOPSECRET: 1}}",
                                      "cerebras: {api_key: ' TOPSECRET'}",
                                      "cerebras: {api_key: 'Bearer TOPSECRET'}",
                                      "cerebras: {api_key: \"TOP\\nTOPSECRET\"}",
                                      "cerebras: {api_key: \"TOPSECRET\\0\"}",
                                      "cerebras: {api_key: '\"TOPSECRET\"'}",
                                      "cerebras: {api_key:TOPSECRET}",
                                      "cerebras: {api_key=TOPSECRET}",
                                      "cerebras:\n  api_key:TOPSECRET\n  retries: 1\n",
                                      "cerebras: TOPSECRET",
                                      "cerebras: [TOPSECRET]",
                                      "TOPSECRET",
                                      "- TOPSECRET",
                                      "cerebras: {api_kye: TOPSECRET}",
                                      "cerebras: {api_key: &TOPSECRET }",
                                      "cerebras: {api_key: *TOPSECRET }",
                                      "cerebras: {api_key: !TOPSECRET }",
                                      "cerebras: {api_key: $TOPSECRET}",
                                      "cerebras: {api_key: \"${TOPSECRET-x}\"}",
                                      "cerebras: {api_key: '${TOPSECRET'}",
                                      "cerebras: {api_key: '${-TOPSECRET}'}",
                                      "cerebras: {api_key: \"\\TOPSECRET\"}",
                                      "cerebras: {base_url: 'https://u:TOPSECRET@h'}",
                                      "cerebras: {base_url: 'u:TOPSECRET@h'}",
                                      "cerebras: {base_url: 'https://h/?key=TOPSECRET'}",
                                      "cerebras: {base_url: 'https://TOPSECRET@:h'}",
                                      "server: {port: sk-TOPSECRET}",
                                      "server: {sk-TOPSECRET: 1}",
                                      "server: {port: &a sk-TOPSECRET, host: *a }",
                                      "server: {port: '${A}'}",
                                      "server: {host: '${B}'}",
                                      "logging: {level: '${A}'}",
                                      "server: {body_timeout: '${A}'}",
                                      "server: {max_body_size: '1${A}'}",
                                      "cerebras: {base_url: 'ftp://${A}'}",
                                      "cerebras: {tls: {ca_file: '${B}', server_name: '${B}', verify: '${A}'}}"}) {
    auto const found = problems_of(yaml, env);
    EXPECT_FALSE(found.empty()) << yaml;
    for (auto const& text : found) EXPECT_THAT(text, Not(HasSubstr(std::string(mark)))) << yaml;
  }
}

TEST(ConfigRobustness, NoValueOfAVariableIsTold) {
  for (std::string_view const yaml : {"server: {body_timeout: '${NUMBER}'}", "server: {port: '${NUMBER}0'}",
                                      "server: {host: 'x ${NUMBER}'}", "logging: {level: '${NUMBER}'}"}) {
    auto const found = problems_of(yaml, env);
    ASSERT_EQ(found.size(), 1U) << yaml;
    EXPECT_THAT(found[0], Not(HasSubstr("7777")));
    EXPECT_THAT(found[0], HasSubstr("(value hidden)"));
  }
}

}  // namespace
}  // namespace cooldown::config
