#include "child.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <string_view>
#include <system_error>

#include <sys/wait.h>

#include <spawn.h>
#include <unistd.h>

namespace cooldown::cli {
namespace {

/// Adds this machine to a no_proxy list.
std::string with_loopback(std::string list) {
  if (list == "*") return list;
  for (std::string_view const name : {"127.0.0.1", "localhost"}) {
    bool found = false;
    for (std::size_t from = 0; from < list.size() && !found;) {
      auto const end = std::min(list.find(',', from), list.size());
      auto const first = std::min(list.find_first_not_of(" \t", from), end);
      found = std::string_view(list).substr(first, end - first) == name;
      from = end + 1;
    }
    if (!found) (list += list.empty() ? "" : ",") += name;
  }
  return list;
}

/// This process's environment plus `more`. Requests to the proxy on this machine must not go through HTTP_PROXY.
/// Programs read NO_PROXY in upper or lower case, so both are set, each based on its own old value.
std::vector<std::string> environment_with(const std::vector<std::string>& more) {
  std::map<std::string, std::string> variables;
  auto const set = [&](std::string_view entry) {
    auto const name = entry.substr(0, entry.find('='));
    variables[std::string(name)] = entry.substr(std::min(name.size() + 1, entry.size()));
  };
  for (char** e = environ; *e; ++e) set(*e);
  for (auto const& m : more) set(m);
  auto& lower = variables["no_proxy"];
  auto& upper = variables["NO_PROXY"];
  if (lower.empty()) lower = upper;
  if (upper.empty()) upper = lower;
  lower = with_loopback(lower);
  upper = with_loopback(upper);
  std::vector<std::string> all;
  for (auto const& [name, value] : variables) all.push_back((name + '=').append(value));
  return all;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (auto const& t : texts) out.push_back(const_cast<char*>(t.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

child::child(net::asio::io_context& io, const std::vector<std::string>& command, const std::vector<std::string>& more,
             std::function<void(int)> ended)
    : ended_(std::move(ended)), signals_(io) {
  for (int const s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) signals_.add(s);
  auto const environment = environment_with(more);
  auto const arguments = pointers_to(command);
  auto const variables = pointers_to(environment);
  // Restores the signal dispositions that this program started with.
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
      // The command has ended; from now on signals are for the proxy: while it drains, Ctrl-C ends it.
      signals_.clear();
      ended_(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      return;
    }
    // Ctrl-C reaches the command directly, because it belongs to the terminal's process group.
    if (number == SIGTERM || number == SIGHUP) signal(number);
    wait();
  });
}

}  // namespace cooldown::cli
