// The log: one line per event, one access line per request, text or JSON, on standard error or in a file. A separate
// thread writes it, so that a slow disk or terminal never blocks the loop; if that thread falls behind, the oldest
// lines are dropped.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "cooldown/config/config.hpp"
#include "cooldown/observe/access_record.hpp"

namespace spdlog {
class logger;
namespace sinks {
class sink;
template <typename Mutex>
class dist_sink;
}  // namespace sinks
}  // namespace spdlog

namespace cooldown::observe {

class log {
 public:
  /// Throws std::runtime_error when the file cannot be opened.
  explicit log(const config::logging_settings& settings);
  ~log();  // writes pending lines

  /// If a new file cannot be opened, keeps the old one and logs why.
  void configure(const config::logging_settings& settings);

  /// Reopens the file, for logrotate. Pending lines may go to either file.
  void reopen();

  void debug(std::string_view message) { write(config::log_level::debug, message); }
  void info(std::string_view message) { write(config::log_level::info, message); }
  void warn(std::string_view message) { write(config::log_level::warn, message); }
  void error(std::string_view message) { write(config::log_level::error, message); }

  /// At info level. The line is kept until the next line of another kind, flush(), or until enough lines are kept:
  /// waking the writing thread for each would cost more than the request. False: nothing is kept.
  bool access(const access_record& r);

  /// Writes the kept access lines.
  void flush();

 private:
  void write(config::log_level level, std::string_view message);
  bool enabled(config::log_level level) const {
    return level >= settings_.level && settings_.level != config::log_level::off;
  }

  config::logging_settings settings_;
  std::string kept_;  // access lines, separated by line ends
  void go_to(const std::string& file);
  static std::shared_ptr<spdlog::sinks::sink> open(const std::string& file);
  std::shared_ptr<spdlog::sinks::dist_sink<std::mutex>> where_;  // replaces its one sink under a lock
  std::shared_ptr<spdlog::logger> sink_;
};

}  // namespace cooldown::observe
