// The server over real loopback sockets, in this process; each test speaks HTTP by hand.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "cooldown/sim/server.hpp"

namespace cooldown::sim {

namespace asio = boost::asio;
using asio::ip::tcp;

inline constexpr auto body = R"({"model":"m","max_tokens":20,"messages":[{"role":"user","content":"twelve chars"}]})";
inline constexpr auto stream_body =
    R"({"model":"m","stream":true,"max_tokens":40,"messages":[{"role":"user","content":"twelve chars"}]})";

class server_test : public testing::Test {
 protected:
  server_test() {
    options_.port = 0;
    options_.quiet = true;
    options_.ttft = std::chrono::milliseconds{1};
    options_.speed = 20000;
    std::string error;
    options_.models = {*parse_model_spec("m,rpm=3,tpm=60000", error)};
  }

  ~server_test() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void start() {
    server_.emplace(context_, options_);
    thread_ = std::thread{[this] { context_.run(); }};
  }

  tcp::socket connect() {
    tcp::socket socket{client_context_};
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
    return socket;
  }

  static void send(tcp::socket& socket, std::string_view method, std::string_view path, std::string_view content,
                   std::string_view headers = "connection: close\r\n") {
    std::string text;
    text.append(method).append(" ").append(path).append(" HTTP/1.1\r\nhost: sim\r\n").append(headers);
    text.append("content-length: ").append(std::to_string(content.size())).append("\r\n\r\n").append(content);
    asio::write(socket, asio::buffer(text));
  }

  // All until the connection ends; `error` tells how.
  static std::string receive(tcp::socket& socket, boost::system::error_code& error) {
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }

  std::string call(std::string_view method, std::string_view path, std::string_view content = "",
                   const std::string& headers = "") {
    auto socket = connect();
    send(socket, method, path, content, headers + "connection: close\r\n");
    boost::system::error_code error;
    return receive(socket, error);
  }

  std::string chat(std::string_view content, const std::string& headers = "") {
    return call("POST", "/v1/chat/completions", content, headers);
  }

  bool eventually_in_stats(const std::string& text) {
    for (int i = 0; i < 200; ++i) {
      if (call("GET", "/sim/stats").find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }

  sim_options options_;
  asio::io_context context_{1};
  std::optional<server> server_;
  std::thread thread_;
  asio::io_context client_context_;
};

}  // namespace cooldown::sim
