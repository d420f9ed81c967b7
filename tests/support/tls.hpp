// An upstream that speaks TLS, and certificates for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/tcp.hpp"

namespace cooldown::testing {

struct certificate {
  std::string file;
  std::string key;
};

/// An authority and what it signs, made with the openssl program.
class authority {
 public:
  explicit authority(const std::string& name = "test-ca");
  const std::string& file() const { return own_.file; }
  /// For a name ("DNS:localhost", "IP:127.0.0.1").
  certificate sign(const std::string& subject_alternative_name, bool expired = false) const;

 private:
  temporary_directory directory_;
  certificate own_;
  mutable int signed_ = 0;
};

class tls_upstream {
 public:
  enum class ending { keep_alive, close_notify, truncate };
  struct answer {
    std::string bytes;
    ending after = ending::keep_alive;
  };
  struct connection {
    bool resumed = false;
    std::string server_name;  // as the client asked for
    std::string version;
  };
  using handler = std::function<answer(const std::string& head)>;

  tls_upstream(const certificate& shown, handler h);
  ~tls_upstream();
  std::uint16_t port() const { return port_; }
  std::string url(const std::string& host = "localhost") const;
  /// The handshakes that succeeded.
  std::vector<connection> connections() const;
  /// All that were tried.
  int attempts() const { return attempts_; }
  std::size_t requests() const { return requests_; }

 private:
  struct context;
  void serve(int fd);

  handler handler_;
  std::unique_ptr<context> context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> attempts_{0};
  std::atomic<std::size_t> requests_{0};
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<connection> connections_;
  std::list<int> open_;
  std::list<std::thread> threads_;
  std::thread accepting_;
};

}  // namespace cooldown::testing
