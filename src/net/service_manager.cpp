#include "cooldown/net/service_manager.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace cooldown::net {

void service_manager::ready(const std::string& status) {
  sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
  std::uint64_t microseconds = 0;
  if (interval_ == duration::zero() && sd_watchdog_enabled(0, &microseconds) > 0) {
    interval_ = std::chrono::microseconds(microseconds / 2);
    feed_watchdog();
  }
}

/// MONOTONIC_USEC is what Type=notify-reload wants.
void service_manager::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000).c_str());
}

void service_manager::stopping() {
  sd_notify(0, "STOPPING=1\nSTATUS=Finishing running requests");
}

void service_manager::feed_watchdog() {
  sd_notify(0, "WATCHDOG=1");
  watchdog_.expires_after(interval_);
  watchdog_.async_wait([this](error_code ec) {
    if (!ec) feed_watchdog();
  });
}

namespace {

/// The names of the sockets that were passed, in their order.
std::vector<std::string> passed_names() {
  char** names = nullptr;
  int const n = sd_listen_fds_with_names(1, &names);
  std::vector<std::string> copies(static_cast<std::size_t>(std::max(0, n)));
  if (!names) return copies;
  for (std::size_t i = 0; names[i]; ++i) {
    if (i < copies.size()) copies[i] = names[i];
    std::free(names[i]);
  }
  std::free(static_cast<void*>(names));
  return copies;
}

}  // namespace

passed_sockets take_passed_sockets() {
  passed_sockets found;
  int fd = SD_LISTEN_FDS_START - 1;
  for (auto const& name : passed_names()) {
    ++fd;
    if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0)
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
