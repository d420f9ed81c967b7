// A blocking HTTP client that sends exactly the bytes it is told to, and an upstream that answers with exactly the
// bytes it is told to.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace cooldown::testing {

/// A connected socket. Reads fail after `patience`.
class tcp_client {
 public:
  explicit tcp_client(std::uint16_t port, const char* host = "127.0.0.1");
  explicit tcp_client(int fd) : fd_(fd) {}
  virtual ~tcp_client();
  tcp_client(tcp_client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  tcp_client& operator=(tcp_client&&) = delete;

  virtual bool send(const std::string& bytes) const;
  void shutdown_send() const;
  /// Closes with a reset.
  void reset();
  void close();

  /// Some bytes; empty at the end of the stream, after an error, or when nothing came in time.
  virtual std::string read_some(std::chrono::milliseconds limit = patience);
  /// Up to and including `end`; what came if it does not come.
  std::string read_until(const std::string& end, std::chrono::milliseconds limit = patience);
  std::string read_exactly(std::size_t n, std::chrono::milliseconds limit = patience);
  std::string read_all(std::chrono::milliseconds limit = patience);
  bool was_reset() const { return reset_; }
  /// The peer has closed its side properly, and that has been read.
  bool was_closed() const { return closed_; }
  /// Nothing more comes, one way or the other; reads what does come until then.
  bool ends(std::chrono::milliseconds limit = patience);

 protected:
  int fd_;
  bool reset_ = false;
  bool closed_ = false;
  std::string buffer_;
};

/// A response as a client saw it. Field names in lower case; of repeated fields the last.
struct http_response {
  int status = 0;
  std::map<std::string, std::string> fields;
  std::string raw_head;
  std::string body;       // without chunked coding
  bool complete = false;  // the framing was satisfied
  std::string field(const std::string& name) const;
};

/// Reads one response to `method` from the connection.
http_response read_response(tcp_client& from, const std::string& method = "GET");

/// One request on a connection of its own.
http_response fetch(std::uint16_t port, const std::string& request, const std::string& method = "GET");

std::string get_request(const std::string& path, const std::string& fields = "");
std::string post_request(const std::string& path, const std::string& body, const std::string& fields = "");

/// A chat completion's body.
std::string chat_body(const std::string& model = "m", int max_tokens = 10, bool stream = false,
                      const std::string& text = "hello");

/// An upstream that runs `handler` for every request, on a thread per connection. Everything it saw is kept.
class fake_upstream {
 public:
  struct seen_request {
    std::string head;
    std::string body;
    std::chrono::steady_clock::time_point at;
    int connection;  // number of its connection, from 0
    int number;      // of all requests, from 0
  };
  /// Writes the answer; false closes the connection afterwards.
  using handler = std::function<bool(const seen_request&, tcp_client&)>;

  /// `host` is 127.0.0.1 or ::1.
  explicit fake_upstream(handler h, std::uint16_t port = 0, const char* host = "127.0.0.1");
  ~fake_upstream();
  std::uint16_t port() const { return port_; }
  std::vector<seen_request> seen() const;
  std::size_t count() const { return seen().size(); }
  int connections() const { return connections_; }
  /// Waits until `n` requests have come.
  bool wait_for(std::size_t n, std::chrono::milliseconds limit = patience);

 private:
  void serve(int fd, int number);

  handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<seen_request> seen_;
  std::list<int> open_;
  std::list<std::thread> threads_;
  std::thread accepting_;
};

/// A complete response with Content-Length.
std::string ok_response(const std::string& body, const std::string& fields = "", int status = 200);

/// A completion with `usage`.
std::string completion(int prompt_tokens = 10, int completion_tokens = 10);

/// A port on which nothing listens, and which nothing else gets until the test has ended.
std::uint16_t closed_port();

}  // namespace cooldown::testing
