#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cooldown/observe/log.hpp"

using namespace cooldown;

// Hangs where it fails.
TEST(StderrSink, APipeThatNobodyEmptiesHoldsUpNobodysEnd) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  ::fcntl(pipe[1], F_SETFL, O_NONBLOCK);
  std::string const filling(4096, 'x');
  while (::write(pipe[1], filling.data(), filling.size()) > 0) continue;
  ::fcntl(pipe[1], F_SETFL, 0);
  auto const before = ::dup(STDERR_FILENO);
  ::dup2(pipe[1], STDERR_FILENO);
  {
    observe::log log(config::logging_settings{});
    for (int i = 0; i < 100; ++i) log.info("nobody reads this");
  }
  ::dup2(before, STDERR_FILENO);
  for (int const fd : {before, pipe[0], pipe[1]}) ::close(fd);
}
