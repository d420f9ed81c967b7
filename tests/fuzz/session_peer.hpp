// One end of a connection, played from a script.
#pragma once

#include <cerrno>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "cooldown/time.hpp"

#include "session_script.hpp"

namespace cooldown::fuzz {

inline bool wait_to_read(int fd, int milliseconds) {
  pollfd wanted{fd, POLLIN, 0};
  for (;;) {
    auto const ready = ::poll(&wanted, 1, milliseconds);
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

class peer {
 public:
  explicit peer(int fd) : fd_(fd) {
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    int const on = 1;  // what waited for an acknowledgement would wait in real time
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  ~peer() { close(); }

  /// Reads what has come and does what is next; true when anything moved.
  bool step(time_point now) {
    bool moved = read();
    while (fd_ >= 0 && !to_do.empty()) {
      auto& next = to_do.front();
      if (next.kind == action::what::wait) break;
      if (next.kind == action::what::stall) {
        if (!std::exchange(stalling_, true)) stalled_until_ = now + std::chrono::seconds{3};
        if (now < stalled_until_) break;
        stalling_ = false;
      }
      if (next.kind == action::what::send) {
        auto const n = ::send(fd_, next.bytes.data(), next.bytes.size(), MSG_NOSIGNAL);
        if (n > 0) sent.append(next.bytes, 0, static_cast<std::size_t>(n));
      }
      if (next.kind == action::what::end) {
        ::shutdown(fd_, SHUT_WR);
        sent_end = true;
      }
      if (next.kind == action::what::reset) close();
      to_do.pop_front();
      moved = true;
    }
    return moved;
  }

  /// Nothing moves any more: goes on after a wait. True when there was one.
  bool go_on() {
    if (to_do.empty() || to_do.front().kind != action::what::wait) return false;
    to_do.pop_front();
    return true;
  }

  /// For the end, which is surely on its way: in real time.
  bool wait_for_more() const { return fd_ >= 0 && !ended && wait_to_read(fd_, 2000); }

  /// With a reset, so that no port rests in TIME_WAIT.
  void close() {
    if (fd_ < 0) return;
    linger const hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(std::exchange(fd_, -1));
  }

  bool open() const { return fd_ >= 0; }

  std::string received;
  std::string sent;
  bool sent_end = false;
  std::vector<std::string> methods;  // of the requests it was asked to answer
  std::deque<action> to_do;
  bool was_reset = false;
  bool ended = false;

 private:
  bool read() {
    if (fd_ < 0 || ended) return false;
    char buffer[4096];
    auto const n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n > 0) received.append(buffer, static_cast<std::size_t>(n));
    was_reset = n < 0;
    ended = n <= 0;
    return true;
  }

  int fd_;
  time_point stalled_until_{};
  bool stalling_ = false;
};

/// A listener on a loopback port of the system's choice, kept for all runs.
class listener {
 public:
  listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* const any = reinterpret_cast<sockaddr*>(&address_);
    require(::bind(fd_, any, size) == 0 && ::listen(fd_, 16) == 0 && ::getsockname(fd_, any, &size) == 0,
            "a loopback port can be listened on");
  }
  std::uint16_t port() const { return ntohs(address_.sin_port); }

  /// The next connection; -1 when there is none, after as long a wait in real time.
  int accept(int milliseconds = 0) const {
    wait_to_read(fd_, milliseconds);
    return ::accept(fd_, nullptr, nullptr);
  }

  int connect() const {
    auto const fd = ::socket(AF_INET, SOCK_STREAM, 0);
    auto const failed = ::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0;
    // libFuzzer's alarm interrupts; the connection is made all the same.
    pollfd made{fd, POLLOUT, 0};
    while (failed && errno == EINTR && ::poll(&made, 1, 2000) < 0) continue;
    require(!failed || made.revents == POLLOUT, "loopback connects");
    return fd;
  }

 private:
  int fd_;
  sockaddr_in address_{};
};

}  // namespace cooldown::fuzz
