// Runs a program of the build and reads its standard error and output line by line.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cooldown::testing {

using namespace std::chrono_literals;

/// Long enough for a sanitizer build on a busy machine: a test that waits this long has failed.
constexpr std::chrono::milliseconds patience = 30s;

class process {
 public:
  /// `args` without the program's own name; `env` adds "NAME=value" entries.
  process(const std::string& program, const std::vector<std::string>& args, const std::vector<std::string>& env = {});
  ~process();  // SIGKILL if it still runs
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  int pid() const { return pid_; }
  /// Its end has been waited for.
  bool ended() const { return ended_; }
  void signal(int number) const;

  /// Waits for a line that contains `text`; returns it. Throws std::runtime_error with all output when it does not
  /// come.
  std::string wait_for_line(const std::string& text, std::chrono::milliseconds limit = patience);

  /// The number of lines so far that contain `text`.
  std::size_t count_lines(const std::string& text) const;

  /// Waits for its end: the exit status, or minus the signal. Throws when it does not end.
  int wait(std::chrono::milliseconds limit = patience);

  /// True if it ends in that time.
  bool ends_within(std::chrono::milliseconds limit);

  std::vector<std::string> lines() const;

  /// Everything it wrote.
  std::string output() const;

  /// Resident memory in KiB, and its peak.
  long memory_kib(const char* field = "VmRSS:") const;
  /// Open descriptors.
  std::size_t descriptors() const;

 private:
  void read_lines(int fd);

  int pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  bool eof_ = false;
  std::thread reader_;
};

struct ended_process {
  int status;  // as process::wait() says it
  std::string output;
};

/// Runs a program until it ends by itself.
ended_process run_to_end(const std::string& program, const std::vector<std::string>& args,
                         const std::vector<std::string>& env = {});

/// A directory of its own for each test, removed at the end.
class temporary_directory {
 public:
  temporary_directory();
  ~temporary_directory();
  std::string file(const std::string& name, const std::string& content) const;
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace cooldown::testing
