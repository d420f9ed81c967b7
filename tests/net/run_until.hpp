// Waiting for an event of a loop.
#pragma once

#include <chrono>
#include <functional>

#include "cooldown/net/asio.hpp"

#include "support/process.hpp"

namespace cooldown::testing {

/// Runs the loop until it is so. False: it did not come to that.
inline bool run_until(net::asio::io_context& io, const std::function<bool()>& so) {
  auto const end = std::chrono::steady_clock::now() + patience;
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    if (io.stopped()) io.restart();
    io.run_one_for(std::chrono::milliseconds{10});
  }
  return true;
}

}  // namespace cooldown::testing
