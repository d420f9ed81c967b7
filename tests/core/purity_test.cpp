// The core does no I/O and asks no clock: its sources are read to be sure.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace {

TEST(Purity, CoreUsesOnlyTheStandardLibrary) {
  int files = 0;
  for (auto const* const folder : {"/include/cooldown/core", "/src/core"}) {
    for (auto const& entry : std::filesystem::directory_iterator(std::string(COOLDOWN_SOURCE_DIR) + folder)) {
      auto const extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      ++files;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      for (auto const* const forbidden :
           {"boost/", "spdlog/", "fmt/", "yaml-cpp/", "simdjson", "::now(", "<thread>", "<iostream>", "<fstream>",
            "sys/", "cooldown/net", "cooldown/http", "cooldown/config"})
        EXPECT_EQ(text.str().find(forbidden), std::string::npos) << entry.path() << " has " << forbidden;
    }
  }
  EXPECT_GT(files, 20);
}

}  // namespace
