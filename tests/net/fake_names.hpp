// Replaces the C library's name look-ups, because tests cannot write /etc/hosts.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "run_until.hpp"

namespace cooldown::testing {

/// Of "provider.test". Look-ups come from threads.
class fake_names {
 public:
  std::vector<std::string> addresses;
  std::atomic<int> asked = 0;
  std::atomic<int> fails_with = 0;  // a code of getaddrinfo; with EAI_SYSTEM, errno is EMFILE

  /// While it is closed, no look-up ends.
  void close_door() { set(false); }
  void open_door() { set(true); }
  /// One look-up, for the fake itself.
  struct visit {
    visit();
    ~visit();
  };

  /// As at the start of a test: opens the door, and waits for those who are on their way out.
  void reset();

 private:
  void set(bool open);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int inside_ = 0;
};

extern fake_names names;

/// A loop, and names of its own.
struct with_fake_names : ::testing::Test {
  void SetUp() override { names.reset(); }
  void TearDown() override { names.reset(); }
  void run_until(const std::function<bool()>& so) { ASSERT_TRUE(testing::run_until(io, so)); }

  net::asio::io_context io{1};
};

}  // namespace cooldown::testing
