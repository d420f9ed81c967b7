// The command of `cooldown-proxy run`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "cooldown/net/asio.hpp"

namespace cooldown::cli {

/// A child process. Its end is reported once, as a shell would: its exit code, or 128 plus its signal.
class child {
 public:
  /// Starts the command with this process's environment plus `more` ("NAME=value"). Throws std::system_error.
  child(net::asio::io_context& io, const std::vector<std::string>& command, const std::vector<std::string>& more,
        std::function<void(int)> ended);
  void signal(int number) const;

 private:
  void wait();

  int pid_ = -1;
  std::function<void(int)> ended_;
  net::asio::basic_signal_set<net::executor> signals_;
};

}  // namespace cooldown::cli
