// The database: figures add up, nothing is half written, and other files are treated with care.
#include "cooldown/state/store.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "state/damage.hpp"
#include "support/process.hpp"

using namespace cooldown;
using namespace cooldown::state;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

namespace {

constexpr std::int64_t day = 86'400;
constexpr std::int64_t monday = 20'000 * day;

usage_rows one(std::int64_t minute, const std::string& model, double tokens, const std::string& client = "ada") {
  figures f{};
  f[static_cast<std::size_t>(figure::requests)] = 1;
  f[static_cast<std::size_t>(figure::tokens)] = tokens;
  return {{{minute, "cerebras", model, client, "answered"}, f}};
}

double tokens(const usage_sum& s) {
  return s.amounts[static_cast<std::size_t>(figure::tokens)];
}

double all_tokens(store& from, std::int64_t since) {
  double sum = 0;
  for (auto const& each : from.usage(since, grouping::model)) sum += tokens(each);
  return sum;
}

void execute(const std::string& file, const char* sql) {
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

}  // namespace

struct Store : ::testing::Test {
  cooldown::testing::temporary_directory in;
  std::string file = in.path("state.db");
};

TEST_F(Store, AddsUsageUp) {
  store s(file);
  s.write(one(monday, "large", 100), {});
  s.write(one(monday, "large", 50), {});
  s.write(one(monday + 60, "small", 20), {});
  auto const by_model = s.usage(0, grouping::model);
  ASSERT_EQ(by_model.size(), 2U);
  EXPECT_EQ(by_model[0].of, "large") << "the largest comes first";
  EXPECT_EQ(tokens(by_model[0]), 150);
  EXPECT_EQ(tokens(by_model[1]), 20);
  EXPECT_EQ(tokens(s.usage(monday + 60, grouping::model).at(0)), 20) << "since a minute";
}

TEST_F(Store, GroupsByDayAndHour) {
  store s(file);
  s.write(one(monday + 3'600, "m", 1), {});
  s.write(one(monday + day, "m", 2), {});
  auto const days = s.usage(0, grouping::day);
  ASSERT_EQ(days.size(), 2U);
  EXPECT_EQ(days[0].of, "2024-10-04");
  EXPECT_EQ(days[1].of, "2024-10-05");
  EXPECT_EQ(s.usage(0, grouping::hour).at(0).of, "2024-10-04T01:00Z");
}

TEST_F(Store, CountsTheSameWhateverHasBeenPruned) {
  store s(file);
  for (int i = 0; i < 100; ++i) s.write(one(monday + i * 7'000, "m", 1), {});
  auto const now = wall_time(std::chrono::seconds{monday + 100 * 7'000});
  EXPECT_EQ(all_tokens(s, 0), 100);
  s.prune({.minutes = 24h, .hours = 72h, .days = 24h * 365}, now);
  EXPECT_EQ(all_tokens(s, 0), 100) << "days remain";
  EXPECT_EQ(all_tokens(s, monday + 90 * 7'000), 10) << "minutes are still there for the last day";
  s.prune({.minutes = 24h, .hours = 24h, .days = 48h}, now);
  EXPECT_LT(all_tokens(s, 0), 50);
}

TEST_F(Store, KeepsWhatWasLearnedOfEachAccount) {
  learned_state a{.saved_at = wall_time(std::chrono::seconds{monday}), .scopes = {}};
  a.scopes.resize(2);
  a.scopes[0].model = "m";
  a.scopes[1].model = "n";
  {
    store s(file);
    s.write({}, {{"first", a}});
    a.scopes[0].model = "newer";
    s.write({}, {{"first", a}});
  }
  store s(file);
  auto const found = s.learned("first");
  ASSERT_EQ(found.scopes.size(), 2U);
  EXPECT_EQ(found.saved_at, a.saved_at);
  EXPECT_EQ(found.scopes[0].model, "newer");
  EXPECT_TRUE(s.learned("second").scopes.empty());
}

TEST_F(Store, IsReadableByItsOwnerAlone) {
  store s(file);
  s.write(one(monday, "m", 1), {});
  for (auto const& entry : std::filesystem::directory_iterator(in.path(""))) {
    struct stat is {};
    stat(entry.path().c_str(), &is);
    EXPECT_EQ(is.st_mode & 077U, 0U) << entry.path();
  }
}

TEST_F(Store, LeavesAFileOfANewerProgramAlone) {
  { store const made(file); }
  execute(file, "PRAGMA user_version = 99");
  EXPECT_THAT([&] { store const s(file); },
              ThrowsMessage<store_error>(HasSubstr("a newer version of cooldown-proxy has written")));
  EXPECT_THAT([&] { store const s(file, store::access::read); }, ThrowsMessage<store_error>(HasSubstr("schema 99")));
}

TEST_F(Store, TellsADamagedFile) {
  { store(file).write(one(monday, "m", 1), {}); }
  damage(file);
  EXPECT_THROW(store const s(file), damaged);
}

TEST_F(Store, LeavesAFileThatIsNoDatabaseAlone) {
  std::ofstream(file) << "server: {port: 8080}\n" << std::string(10'000, '#');
  auto const size = std::filesystem::file_size(file);
  EXPECT_THAT([&] { store const s(file); }, ThrowsMessage<store_error>(HasSubstr("not a database; it is left alone")));
  EXPECT_EQ(std::filesystem::file_size(file), size);
}

TEST_F(Store, LeavesTheDatabaseOfAnotherProgramAlone) {
  execute(file, "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
  for (auto const how : {store::access::read, store::access::write})
    EXPECT_THAT([&] { store const s(file, how); }, ThrowsMessage<store_error>(HasSubstr("belongs to another program")));
  EXPECT_FALSE(std::filesystem::exists(file + "-wal")) << "not even its journal is changed";
  std::string header(20, '\0');
  std::ifstream(file).read(header.data(), 20);
  EXPECT_EQ(header[18], 1) << "2 says write-ahead log";
}

TEST_F(Store, SaysWhyAFileCannotBeUsed) {
  auto const folder = in.path("folder");
  std::filesystem::create_directory(folder);
  EXPECT_THAT([&] { store const s(folder, store::access::read); },
              ThrowsMessage<store_error>(HasSubstr("is no regular file")));
  EXPECT_THAT([&] { store const s(folder, store::access::write); },
              ThrowsMessage<store_error>(HasSubstr("Is a directory")));
  auto const empty = in.path("empty.db");
  std::ofstream{empty};
  EXPECT_THAT([&] { store const s(empty, store::access::read); },
              ThrowsMessage<store_error>(HasSubstr("no proxy has recorded its usage there")));
}

TEST_F(Store, NamesTheFileThatCannotBeMade) {
  EXPECT_THAT([&] { store const s(in.path("nowhere/state.db")); },
              ThrowsMessage<store_error>(HasSubstr("nowhere/state.db: No such file or directory")));
}

TEST_F(Store, WritesNothingOfWhatFailsHalfway) {
  store s(file);
  s.write(one(monday, "m", 1), {});
  execute(file, "CREATE TRIGGER full BEFORE INSERT ON learned BEGIN SELECT RAISE(ABORT, 'no room'); END");
  EXPECT_THAT([&] { s.write(one(monday, "m", 1), {{"a", {}}}); }, ThrowsMessage<store_error>(HasSubstr("no room")));
  EXPECT_EQ(all_tokens(s, 0), 1);
}
