#include "cooldown/limit/belief.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cooldown {
namespace {

std::vector<belief> all_beliefs() {
  std::vector<belief> all;
  for (std::size_t i = 0; i < belief_count; ++i) all.push_back(static_cast<belief>(i));
  return all;
}

std::vector<evidence> all_evidence() {
  std::vector<evidence> all;
  for (std::size_t i = 0; i < evidence_count; ++i) all.push_back(static_cast<evidence>(i));
  return all;
}

bool is_configuration(evidence e) {
  return std::string{name_of(e)}.starts_with("configured_");
}

using names = std::vector<std::string>;

names words_of(std::string line) {
  std::ranges::replace(line, ',', ' ');
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

/// The drawing in docs/model.md: `a, b ── evidence ──► c` is an edge, `a = b, c` a group of beliefs.
class drawing {
 public:
  drawing() {
    std::ifstream file(COOLDOWN_SOURCE_DIR "/docs/model.md");
    std::string line;
    while (std::getline(file, line) && line != "```belief") continue;
    while (std::getline(file, line) && line != "```") read(words_of(line));
  }

  /// By names; nullopt: not drawn.
  std::optional<std::string> to(const std::string& from, const std::string& seen) const {
    auto const found = edges_.find({from, seen});
    return found == edges_.end() ? std::nullopt : std::optional{found->second};
  }
  std::size_t size() const { return edges_.size(); }

 private:
  void read(names words) {
    if (words.size() > 1 && words[1] == "=") {
      groups_[words[0]] = members(names(words.begin() + 2, words.end()));
    } else if (auto const rule = std::ranges::find(words, "──"); words.end() - rule >= 4) {
      for (auto const& from : members(names(words.begin(), rule)))
        EXPECT_TRUE(edges_.insert({{from, rule[1]}, rule[3]}).second) << from << " is drawn twice on " << rule[1];
    }
  }

  names members(const names& words) const {
    names all;
    for (auto const& each : words) {
      auto const group = groups_.find(each);
      auto const of = group == groups_.end() ? names{each} : group->second;
      all.insert(all.end(), of.begin(), of.end());
    }
    return all;
  }

  std::map<std::string, names> groups_;
  std::map<std::pair<std::string, std::string>, std::string> edges_;
};

TEST(Belief, ChangesAsItIsDrawn) {
  drawing const drawn;
  std::size_t edges = 0;
  for (auto const from : all_beliefs())
    for (auto const seen : all_evidence()) {
      auto const to = drawn.to(name_of(from), name_of(seen));
      if (to) ++edges;
      EXPECT_EQ(name_of(on(from, seen)), to.value_or(name_of(from))) << name_of(from) << " on " << name_of(seen);
    }
  EXPECT_EQ(edges, drawn.size()) << "the drawing has names that the code does not know";
}

TEST(Belief, OnlyTheConfigurationMovesWhatItPins) {
  for (auto const from : all_beliefs())
    for (auto const seen : all_evidence()) {
      bool const moves = on(from, seen) != from;
      EXPECT_FALSE(is_pinned(from) && moves && !is_configuration(seen)) << name_of(seen);
    }
}

TEST(Belief, EveryOtherCanBeRefuted) {
  for (auto const from : all_beliefs()) {
    auto const moves = [&](evidence seen) {
      return !is_configuration(seen) && model_of(on(from, seen)) != model_of(from);
    };
    EXPECT_NE(std::ranges::any_of(all_evidence(), moves), is_pinned(from)) << name_of(from);
  }
}

TEST(Belief, AnyCanComeAbout) {
  std::set<belief> known{belief::assumed_bucket, belief::announced_window};
  for (std::size_t before = 0; before < known.size();) {
    before = known.size();
    for (auto const from : std::vector(known.begin(), known.end()))
      for (auto const seen : all_evidence()) known.insert(on(from, seen));
  }
  EXPECT_THAT(known, testing::SizeIs(belief_count));
}

TEST(Belief, IsProvenOnlyByWhatDecides) {
  for (auto const seen : {evidence::reset_sent, evidence::no_refill_seen, evidence::refused_with_room,
                          evidence::refused_beyond_log, evidence::resets_fit_window})
    for (auto const from : all_beliefs())
      EXPECT_TRUE(is_proven(from) || !is_proven(on(from, seen))) << name_of(from) << " on " << name_of(seen);
}

}  // namespace
}  // namespace cooldown
