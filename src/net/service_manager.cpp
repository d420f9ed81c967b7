#include "cooldown/net/service_manager.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cooldown/net/memory.hpp"
#include "cooldown/text/ascii.hpp"

// The protocols are of a few lines each, and promised to stay as they are (systemd.io/PORTABILITY_AND_STABILITY):
// libsystemd, and the compression and cryptography that it brings, would be much for that.
namespace cooldown::net {
namespace {

// The first descriptor that is passed (sd_listen_fds(3)).
constexpr int first_passed = 3;

std::string_view variable(const char* name) {
  auto const* const value = std::getenv(name);
  return value ? value : std::string_view();
}

bool names_this_process(std::string_view pid) {
  return parse_u64(pid) == static_cast<std::uint64_t>(getpid());
}

/// One datagram to the socket that the service manager named, if there is one. It is lost if nobody reads that socket:
/// clients do not wait for it.
void notify(const std::string& state) {
  auto const path = variable("NOTIFY_SOCKET");
  sockaddr_un to{};
  if (path.empty() || path.size() >= sizeof to.sun_path) return;
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, path.size());
  if (path.front() == '@') to.sun_path[0] = '\0';  // an abstract one
  int const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), size);
  close(fd);
}

/// How often a sign of life is expected; zero: never.
duration watchdog_time() {
  constexpr std::uint64_t day = 86'400'000'000;
  auto const pid = variable("WATCHDOG_PID");
  auto const microseconds = parse_u64(variable("WATCHDOG_USEC"));
  if (!microseconds || (!pid.empty() && !names_this_process(pid))) return {};
  return std::chrono::microseconds(std::min(*microseconds, day));
}

/// The names of the descriptors that were passed, in their order. Throws std::runtime_error if their number is not one.
std::vector<std::string> passed_names() {
  // More than these are refused anyway.
  constexpr std::uint64_t most = 16;
  std::vector<std::string> names;
  if (names_this_process(variable("LISTEN_PID"))) {
    auto const text = variable("LISTEN_FDS");
    auto const count = parse_u64(text);
    if (!count && !text.empty())
      throw std::runtime_error(fmt::format("socket activation: LISTEN_FDS is '{}', which is not a number", text));
    names.resize(std::min(count.value_or(0), most), "unknown");
  }
  std::string_view rest = variable("LISTEN_FDNAMES");
  std::string_view name;
  for (std::size_t i = 0; i < names.size() && next_token(rest, ':', name); ++i) names[i] = name;
  for (auto const* of_ours : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(of_ours);
  return names;
}

int option_of(int fd, int which) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
}

bool is_listening_tcp_socket(int fd) {
  auto const domain = option_of(fd, SO_DOMAIN);
  return (domain == AF_INET || domain == AF_INET6) && option_of(fd, SO_TYPE) == SOCK_STREAM &&
         option_of(fd, SO_ACCEPTCONN) == 1;
}

}  // namespace

void service_manager::ready(const std::string& status) {
  notify("READY=1\nSTATUS=" + status);
  if (interval_ != duration::zero()) return;
  interval_ = watchdog_time() / 2;
  if (interval_ != duration::zero()) feed_watchdog();
}

/// MONOTONIC_USEC is what Type=notify-reload wants.
void service_manager::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void service_manager::stopping() {
  notify("STOPPING=1\nSTATUS=Finishing running requests");
}

void service_manager::feed_watchdog() {
  last_reserve const for_the_timer;
  notify("WATCHDOG=1");
  watchdog_.expires_after(interval_);
  watchdog_.async_wait([this](error_code ec) {
    if (!ec) feed_watchdog();
  });
}

passed_sockets take_passed_sockets() {
  passed_sockets found;
  int fd = first_passed - 1;
  for (auto const& name : passed_names()) {
    ++fd;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (!is_listening_tcp_socket(fd))
      throw std::runtime_error(
          fmt::format("socket activation: descriptor {} ('{}') is no listening TCP socket", fd, name));
    auto& slot = name == "admin" || found.proxy >= 0 ? found.admin : found.proxy;
    if (slot >= 0)
      throw std::runtime_error("socket activation: expected one socket for clients and at most one named 'admin'");
    slot = fd;
  }
  return found;
}

}  // namespace cooldown::net
