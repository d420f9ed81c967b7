// The log: one line an event, one access line a request, text or JSON, on standard error. Written by a thread of its
// own, so that a slow disk or terminal never holds the loop; when that thread falls behind, the oldest lines are
// dropped.
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
  ~log();  // writes what is waiting

  /// Stays where it was, and says why, when a new file cannot be opened.
  void configure(const config::logging_settings& settings);

  /// Opens the file again, which somebody may have moved away. What was waiting may end in either.
  void reopen();

  void debug(std::string_view message) { write(config::log_level::debug, message); }
  void info(std::string_view message) { write(config::log_level::info, message); }
  void warn(std::string_view message) { write(config::log_level::warn, message); }
  void error(std::string_view message) { write(config::log_level::error, message); }

  /// At info level. Kept until the next other line, flush(), or so many that they are worth it: waking the writing
  /// thread for each would cost more than the request. False: nothing is kept.
  bool access(const access_record& r);

  /// Writes the access lines that are kept.
  void flush();

 private:
  void write(config::log_level level, std::string_view message);
  bool enabled(config::log_level level) const {
    return level >= settings_.level && settings_.level != config::log_level::off;
  }

  config::logging_settings settings_;
  std::string kept_;  // access lines, each but the last with its end
  void go_to(const std::string& file);
  static std::shared_ptr<spdlog::sinks::sink> open(const std::string& file);
  std::shared_ptr<spdlog::sinks::dist_sink<std::mutex>> where_;  // exchanges its one sink under a lock
  std::shared_ptr<spdlog::logger> sink_;
};

}  // namespace cooldown::observe
