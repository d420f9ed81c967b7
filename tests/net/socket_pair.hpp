// Two ends of a connection in one process: one is the proxy's, the other the test's.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include <sys/socket.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cooldown/net/asio.hpp"

#include "run_until.hpp"

namespace cooldown::testing {

/// The test's end. Nothing here waits.
class far_end {
 public:
  explicit far_end(int fd) : fd_(fd) { ::fcntl(fd, F_SETFL, O_NONBLOCK); }
  far_end(far_end&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  far_end& operator=(far_end&&) = delete;
  ~far_end() { close(); }

  /// How much of it was taken.
  std::size_t send(std::string_view bytes) const {
    auto const n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  /// What has come, at most `most` bytes.
  std::string read(std::size_t most = 1024 * 1024) {
    std::string out(most, '\0');
    auto const n = ::recv(fd_, out.data(), out.size(), 0);
    ended = n == 0 || (n < 0 && errno != EAGAIN);
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
  }
  void shutdown_send() const { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  bool ended = false;  // seen by the last read()

 private:
  int fd_;
};

struct socket_pair {
  explicit socket_pair(net::asio::io_context& io) : socket_pair(io, make()) {}
  net::tcp_socket near;
  far_end far;

 private:
  struct fds {
    int of[2];
  };
  static fds make() {
    fds made{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, made.of), 0);
    return made;
  }
  socket_pair(net::asio::io_context& io, const fds& made)
      : near(io, net::asio::ip::tcp::v4(), made.of[0]), far(made.of[1]) {
    near.non_blocking(true);
  }
};

}  // namespace cooldown::testing
