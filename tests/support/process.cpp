#include "support/process.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

namespace cooldown::testing {

process::process(const std::string& program, const std::vector<std::string>& args,
                 const std::vector<std::string>& env) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (auto const& a : args) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    // A developer's own must not get in between, and tests do not remember each other.
    for (auto const* const name : {"CEREBRAS_API_KEY", "HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"}) ::unsetenv(name);
    for (auto const& e : env) ::putenv(const_cast<char*>(e.c_str()));
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  reader_ = std::thread([this, fd = ends[0]] { read_lines(fd); });
}

process::~process() {
  if (!ended_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
  reader_.join();
}

void process::read_lines(int fd) {
  std::string rest;
  char buffer[4096];
  for (;;) {
    auto const n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    rest.append(buffer, static_cast<std::size_t>(n));
    std::lock_guard const lock(mutex_);
    for (auto at = rest.find('\n'); at != std::string::npos; at = rest.find('\n')) {
      lines_.push_back(rest.substr(0, at));
      rest.erase(0, at + 1);
    }
    changed_.notify_all();
  }
  ::close(fd);
  std::lock_guard const lock(mutex_);
  if (!rest.empty()) lines_.push_back(rest);
  eof_ = true;
  changed_.notify_all();
}

void process::signal(int number) const {
  ::kill(pid_, number);
}

std::string process::wait_for_line(const std::string& text, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  std::string found;
  auto const look = [&] {
    for (auto const& l : lines_)
      if (l.find(text) != std::string::npos) {
        found = l;
        return true;
      }
    return eof_;
  };
  changed_.wait_for(lock, limit, look);
  if (!found.empty()) return found;
  std::string all;
  for (auto const& l : lines_) all += l + "\n";
  throw std::runtime_error("no line with '" + text + "' in:\n" + all);
}

std::size_t process::count_lines(const std::string& text) const {
  std::lock_guard const lock(mutex_);
  std::size_t n = 0;
  for (auto const& l : lines_) n += l.find(text) != std::string::npos ? 1U : 0U;
  return n;
}

bool process::ends_within(std::chrono::milliseconds limit) {
  auto const end = std::chrono::steady_clock::now() + limit;
  while (!ended_) {
    if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
      ended_ = true;
      break;
    }
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(2000);
  }
  return true;
}

int process::wait(std::chrono::milliseconds limit) {
  if (!ends_within(limit)) throw std::runtime_error("the process does not end:\n" + output());
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return eof_; });
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

std::vector<std::string> process::lines() const {
  std::lock_guard const lock(mutex_);
  return lines_;
}

std::string process::output() const {
  std::lock_guard const lock(mutex_);
  std::string all;
  for (auto const& l : lines_) all += l + "\n";
  return all;
}

long process::memory_kib(const char* field) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string line;
  while (std::getline(status, line))
    if (line.rfind(field, 0) == 0) return std::strtol(line.c_str() + std::strlen(field), nullptr, 10);
  return -1;
}

std::size_t process::descriptors() const {
  std::size_t n = 0;
  for ([[maybe_unused]] auto const& e : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fd"))
    ++n;
  return n;
}

ended_process run_to_end(const std::string& program, const std::vector<std::string>& args,
                         const std::vector<std::string>& env) {
  process p(program, args, env);
  auto const status = p.wait();
  return {status, p.output()};
}

temporary_directory::temporary_directory() {
  auto pattern = (std::filesystem::temp_directory_path() / "cooldown-test-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
  path_ = pattern;
}

temporary_directory::~temporary_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string temporary_directory::file(const std::string& name, const std::string& content) const {
  std::ofstream(path(name)) << content;
  return path(name);
}

}  // namespace cooldown::testing
