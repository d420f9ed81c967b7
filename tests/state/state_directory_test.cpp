// Where the memory is kept.
#include "cooldown/state/state_directory.hpp"

#include <fstream>
#include <map>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/process.hpp"

using namespace cooldown;
using namespace cooldown::state;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

namespace {

variable environment(std::map<std::string, std::string> all) {
  return [all = std::move(all)](std::string_view name) -> std::optional<std::string> {
    auto const found = all.find(std::string(name));
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace

TEST(StateDirectory, IsTheServicesElseTheUsers) {
  auto const file_of = [](const std::string& configured, std::map<std::string, std::string> all) {
    return database_file(configured, environment(std::move(all))).value().file;
  };
  EXPECT_EQ(file_of("/x/y.db", {{"STATE_DIRECTORY", "/s"}}), "/x/y.db");
  EXPECT_EQ(file_of("", {{"STATE_DIRECTORY", "/s:/t"}, {"HOME", "/h"}}), "/s/state.db");
  EXPECT_EQ(file_of("", {{"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}), "/x/cooldown-proxy/state.db");
  EXPECT_EQ(file_of("", {{"HOME", "/h"}}), "/h/.local/state/cooldown-proxy/state.db");
  EXPECT_FALSE(database_file("", environment({})));
}

TEST(StateDirectory, MakesASecretOnce) {
  cooldown::testing::temporary_directory const in;
  auto const file = in.path("a/b/state.db");
  auto const secret = secret_beside(file);
  EXPECT_EQ(secret.size(), 32U);
  EXPECT_EQ(secret_beside(file), secret);
  EXPECT_NE(secret_beside(in.path("other.db")), secret);
  for (auto const* const name : {"a", "a/b", "a/b/state.db.key"}) {
    struct stat is {};
    ASSERT_EQ(stat(in.path(name).c_str(), &is), 0);
    EXPECT_EQ(is.st_mode & 077U, 0U) << name;
  }
}

TEST(StateDirectory, NamesWhatCannotBeUsed) {
  cooldown::testing::temporary_directory const in;
  EXPECT_THAT([] { secret_beside("/proc/nowhere/state.db"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("/proc/nowhere")));
  std::ofstream(in.path("state.db.key")) << "short";
  EXPECT_THAT([&] { secret_beside(in.path("state.db")); },
              ThrowsMessage<std::runtime_error>(HasSubstr("state.db.key: must have 32 bytes")));
}
