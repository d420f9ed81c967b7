// An upstream and a client that speak TLS, and certificates for them.
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
  explicit authority(const std::string& name = "test-ca") : authority(name, nullptr) {}
  /// One that another has made so; what it signs is shown with the certificate in between.
  authority(const std::string& name, const authority& root) : authority(name, &root) {}
  const std::string& file() const { return own_.file; }
  /// For a name ("DNS:localhost", "IP:127.0.0.1").
  certificate sign(const std::string& subject_alternative_name, bool expired = false) const;

 private:
  authority(const std::string& name, const authority* root);

  temporary_directory directory_;
  certificate own_;
  bool is_root_;
  mutable int signed_ = 0;
};

class tls_upstream {
 public:
  /// `goodbye` is a close_notify on a connection that stays open.
  enum class ending { keep_alive, close_notify, truncate, goodbye };
  struct answer {
    std::string bytes;
    ending after = ending::keep_alive;
    // What comes behind the answer, in the same segment unless it waits for something:
    std::string record = {};               // a further record of data
    std::string wire = {};                 // bytes that are sent as they are
    bool ticket = false;                   // a further session ticket
    std::function<void()> wait = nullptr;  // called between the answer and what comes behind it
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
  static void send(int fd, void* ssl, const answer& a);

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

/// A client that speaks TLS. `closed` is an end with close_notify, `reset` any other.
class tls_connection : public tcp_client {
 public:
  struct options {
    std::string version;                 // "1.2" or "1.3"; empty: whatever comes of it
    std::string protocols = "http/1.1";  // one name for ALPN; empty: none
    std::string session;                 // of an earlier connection, to resume
  };

  /// Throws std::runtime_error when the handshake fails.
  tls_connection(std::uint16_t port, const std::string& ca_file) : tls_connection(port, ca_file, options()) {}
  tls_connection(std::uint16_t port, const std::string& ca_file, const options& how);
  ~tls_connection() override;
  tls_connection(tls_connection&&) noexcept;
  tls_connection& operator=(tls_connection&&) = delete;

  bool send(const std::string& bytes) const override;
  std::string read_some(std::chrono::milliseconds limit = patience) override;
  /// Says close_notify and leaves the socket open.
  void say_goodbye() const;
  /// New keys for what it sends, and a wish for new ones of the other side.
  void update_keys() const;

  std::string version() const;
  std::string protocol() const;
  std::string serial() const;  // of the certificate shown
  bool resumed() const;
  std::string session() const;
  /// Records of data that came so far.
  std::size_t records() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace cooldown::testing
