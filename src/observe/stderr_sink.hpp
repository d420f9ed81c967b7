// A log sink for standard error that cannot block for ever.
#pragma once

#include <algorithm>
#include <mutex>
#include <string_view>

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

namespace cooldown::observe {

/// A pipe that nobody reads, or a stopped terminal, would block a write for ever, and with it the end of the process.
/// So a line waits for at most a second; after that, lines are dropped until there is room again.
class stderr_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  static constexpr int longest_wait = 1000;  // milliseconds

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view left(line.data(), line.size());
    // A pipe that is ready for writing accepts this much at once.
    constexpr std::size_t atomic = 4096;
    while (!left.empty() && ready()) {
      auto const n = ::write(STDERR_FILENO, left.data(), std::min(left.size(), atomic));
      if (n <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void flush_() override {}

 private:
  bool ready() {
    pollfd p{STDERR_FILENO, POLLOUT, 0};
    bool const now = ::poll(&p, 1, stuck_ ? 0 : longest_wait) > 0 && (p.revents & POLLOUT) != 0;
    stuck_ = !now;
    return now;
  }

  bool stuck_ = false;  // the last line could not be written
};

}  // namespace cooldown::observe
