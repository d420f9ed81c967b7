// A provider on the loop of the test itself, which answers what it is told to.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "cooldown/net/asio.hpp"

namespace cooldown::testing {

/// Answers one request after the other, in the order of their coming; where an answer is empty, or there is none left,
/// it resets the connection. What ends with `cut` is sent without that, and then the connection is closed.
class scripted_provider {
 public:
  static constexpr std::string_view cut = "<cut>";

  /// On a port of the system's choice, if it is 0.
  scripted_provider(net::asio::io_context& io, std::vector<std::string> answers, std::uint16_t port = 0)
      : next(answers.begin(), answers.end()),
        io_(io),
        acceptor_(io, {net::asio::ip::make_address("127.0.0.1"), port}),
        gate_(io, time_point::max()) {
    net::asio::co_spawn(io, accept(*this), net::asio::detached);
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  /// While it holds its answers, requests come in and wait.
  void hold() { held_ = true; }
  void let_go() {
    held_ = false;
    gate_.cancel();
  }
  /// Nobody listens any more.
  void close() { acceptor_.close(); }

  std::deque<std::string> next;
  std::vector<std::string> requests;  // head and body

 private:
  static net::task<void> accept(scripted_provider& self) {
    for (;;) {
      auto [ec, socket] = co_await self.acceptor_.async_accept(net::tok);
      if (ec) co_return;
      net::asio::co_spawn(self.io_, serve(self, std::move(socket)), net::asio::detached);
    }
  }

  static net::task<void> serve(scripted_provider& self, net::tcp_socket socket) {
    std::string in;
    for (;;) {
      auto [failed, n] =
          co_await net::asio::async_read_until(socket, net::asio::dynamic_buffer(in), "\r\n\r\n", net::tok);
      if (failed) break;
      auto const whole = n + length_in(in.substr(0, n));
      if (in.size() < whole) {
        auto const missing = net::asio::transfer_exactly(whole - in.size());
        co_await net::asio::async_read(socket, net::asio::dynamic_buffer(in), missing, net::tok);
      }
      self.requests.push_back(in.substr(0, whole));
      in.erase(0, whole);
      while (self.held_) co_await self.gate_.async_wait(net::tok);
      auto answer = self.next.empty() ? std::string() : self.next.front();
      if (!self.next.empty()) self.next.pop_front();
      if (answer.empty()) break;
      bool const ends = answer.ends_with(cut);
      if (ends) answer.resize(answer.size() - cut.size());
      co_await net::asio::async_write(socket, net::asio::buffer(answer), net::tok);
      if (ends) co_return;
    }
    net::error_code ignored;
    socket.set_option(net::asio::socket_base::linger(true, 0), ignored);
  }

  static std::size_t length_in(const std::string& head) {
    constexpr std::string_view field = "Content-Length: ";
    auto const at = head.find(field);
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + field.size()));
  }

  net::asio::io_context& io_;
  net::tcp_acceptor acceptor_;
  net::steady_timer gate_;
  bool held_ = false;
};

/// An answer with a length of its own; `fields` end in CRLF.
inline std::string answer_of(std::string_view status, std::string_view fields, std::string_view body) {
  std::string out = "HTTP/1.1 ";
  out.append(status).append("\r\n").append(fields);
  out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return out;
}

}  // namespace cooldown::testing
