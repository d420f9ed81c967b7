#include "child.hpp"

#include <csignal>
#include <system_error>

#include <sys/wait.h>

#include <spawn.h>
#include <unistd.h>

namespace cooldown::cli {

child::child(net::asio::io_context& io, const std::vector<std::string>& command, const std::vector<std::string>& more,
             std::function<void(int)> ended)
    : ended_(std::move(ended)), signals_(io) {
  for (int const s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) signals_.add(s);
  std::vector<std::string> environment = more;
  for (char** e = environ; *e; ++e) {
    std::string const entry(*e);
    auto const name = entry.substr(0, entry.find('=') + 1);
    bool replaced = false;
    for (auto const& m : more) replaced = replaced || m.starts_with(name);
    if (!replaced) environment.push_back(entry);
  }
  auto const pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (auto const& t : texts) out.push_back(const_cast<char*>(t.c_str()));
    out.push_back(nullptr);
    return out;
  };
  auto const arguments = pointers(command);
  auto const variables = pointers(environment);
  // The command gets the signals as this program found them.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigemptyset(&all);
  for (int const s : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&all, s);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  int const failed =
      posix_spawnp(&pid_, command.front().c_str(), nullptr, &attributes, arguments.data(), variables.data());
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), command.front());
  wait();
}

void child::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void child::wait() {
  signals_.async_wait([this](net::error_code ec, int number) {
    if (ec) return;
    int status = 0;
    if (number == SIGCHLD && waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      ended_(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      return;
    }
    // Ctrl-C reaches the command by itself, as one of the terminal's group; what it makes of it is its business.
    if (number == SIGTERM || number == SIGHUP) signal(number);
    wait();
  });
}

}  // namespace cooldown::cli
