// The log: one line an event, one access line a request, text or JSON, on standard error. Written by a thread of its
// own, so that a slow disk or terminal never holds the loop; when that thread falls behind, the oldest lines are
// dropped.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cooldown/config/config.hpp"

namespace spdlog {
class logger;
}

namespace cooldown::observe {

/// One request, at its end.
struct access_record {
  std::uint64_t id = 0;
  std::string client;  // address
  std::string method;
  std::string target;  // without its query: keys have been seen there
  std::string model;
  unsigned status = 0;       // 0: the client left without an answer
  const char* reason = "";   // error code of our own refusals
  double cost = 0;           // tokens reserved
  std::uint64_t tokens = 0;  // tokens used, if known
  double waited = 0;         // seconds in the queue
  double upstream = 0;       // seconds from the last attempt to the response head
  double total = 0;          // seconds
  unsigned attempts = 0;
  bool complete = true;  // false: the answer broke off
};

class log {
 public:
  explicit log(const config::logging_settings& settings);
  ~log();  // writes what is waiting

  void configure(const config::logging_settings& settings);

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
  std::shared_ptr<spdlog::logger> sink_;
};

}  // namespace cooldown::observe
