// Writing in a thread of its own: what is submitted arrives once, and no fault of the disk reaches the caller.
#include "cooldown/state/keeper.hpp"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/damage.hpp"
#include "support/process.hpp"

using namespace cooldown;
using namespace cooldown::state;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace {

constexpr std::int64_t minute = 1'728'000'000;

snapshot one() {
  figures f{};
  f[0] = 1;
  return {
      .used = {{{minute, "u", "m", "c", "answered"}, f}}, .learned = {}, .at = wall_time(std::chrono::seconds{minute})};
}

}  // namespace

struct Keeper : ::testing::Test {
  cooldown::testing::temporary_directory in;
  std::string file = in.path("state.db");
  std::mutex guard;
  std::condition_variable heard;
  std::vector<std::string> said;

  std::unique_ptr<keeper> made() {
    auto k = std::make_unique<keeper>(file, retention{}, [this](const std::string& text) {
      std::lock_guard const hold(guard);
      said.push_back(text);
      heard.notify_all();
    });
    return k;
  }
  std::unique_ptr<keeper> started() {
    auto k = made();
    k->start();
    return k;
  }
  /// Waits for the nth message.
  void hear(std::size_t n) {
    std::unique_lock hold(guard);
    ASSERT_TRUE(heard.wait_for(hold, std::chrono::seconds{10}, [&] { return said.size() >= n; }));
  }
  double requests() {
    store s(file, store::access::read);
    double sum = 0;
    for (auto const& each : s.usage(0, grouping::model)) sum += each.amounts[0];
    return sum;
  }
};

TEST_F(Keeper, WritesEachSnapshotOnce) {
  {
    auto const k = started();
    for (int i = 0; i < 1'000; ++i) k->submit(one());
  }
  EXPECT_EQ(requests(), 1'000);
  EXPECT_THAT(said, IsEmpty());
}

TEST_F(Keeper, KeepsTheLatestThatWasLearned) {
  {
    auto const k = started();
    for (int i = 1; i <= 3; ++i) {
      learned_state learned{.saved_at = wall_time(std::chrono::seconds{i}), .scopes = {}};
      k->submit({.used = {}, .learned = {{"account", learned}}, .at = {}});
    }
  }
  EXPECT_EQ(made()->learned("account").saved_at, wall_time(std::chrono::seconds{3}));
}

TEST_F(Keeper, MovesADamagedFileAsideAndGoesOn) {
  { store const made(file); }
  damage(file);
  {
    auto const k = made();
    EXPECT_TRUE(k->learned("account").scopes.empty());
    k->start();
    k->submit(one());
  }
  EXPECT_EQ(requests(), 1);
  EXPECT_TRUE(std::filesystem::exists(file + ".damaged"));
  EXPECT_THAT(said, ElementsAre(HasSubstr("the file is kept as " + file + ".damaged"), HasSubstr("written again")));
}

TEST_F(Keeper, WritesLaterWhatCannotBeWrittenNow) {
  std::filesystem::create_directory(file);  // in the file's place
  {
    auto const k = started();
    for (int i = 0; i < 3; ++i) k->submit(one());
    hear(1);
    std::filesystem::remove(file);
    k->submit(one());
  }
  EXPECT_EQ(requests(), 4);
  EXPECT_THAT(said, ElementsAre(HasSubstr("said once"), HasSubstr("written again")));
}

TEST_F(Keeper, IsNeededByNobody) {
  file = "/proc/nowhere/state.db";
  {
    auto const k = started();
    for (int i = 0; i < 3; ++i) k->submit(one());
  }
  EXPECT_THAT(said, ElementsAre(HasSubstr("/proc/nowhere/state.db: No such file or directory")));
}
