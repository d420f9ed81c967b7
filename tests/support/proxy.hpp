// Runs the proxy program in front of the test's upstream, and reads its admin port.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "support/process.hpp"
#include "support/tcp.hpp"

namespace cooldown::testing {

/// Configuration values by dotted key, as they would stand in YAML.
using values = std::map<std::string, std::string>;

/// The YAML text for them.
std::string yaml_of(const values& v);

/// What every test starts from: ports of the system's choice, headers in use, static limits out of the way.
values usual_values(const std::string& base_url);

class proxy {
 public:
  explicit proxy(const std::string& base_url, const values& more = {}, const std::vector<std::string>& env = {});
  explicit proxy(const fake_upstream& to, const values& more = {}, const std::vector<std::string>& env = {});

  /// Ends it as a second signal does. The test fails if it does not end in order then, or did not before: with a crash,
  /// or with a leak where a sanitizer looks for them.
  ~proxy();
  proxy(const proxy&) = delete;
  proxy& operator=(const proxy&) = delete;

  std::uint16_t port() const { return port_; }
  std::uint16_t admin_port() const { return admin_port_; }
  process& program() { return *program_; }
  /// Ends it without warning, as a crash does.
  void crash();
  const std::string& config_path() const { return config_path_; }

  http_response fetch(const std::string& request, const std::string& method = "GET") const {
    return testing::fetch(port_, request, method);
  }

  boost::json::value status() const;
  std::size_t queue_length() const;
  std::size_t in_flight() const;
  /// The value of one line of /metrics, e.g. `cooldown_responses_total{status="200"}`; 0 when it is not there.
  double metric(const std::string& name) const;

  /// Takes over the usual values with `more`, and waits until it is said to be done, or refused.
  void reload(const values& more);

 private:
  temporary_directory directory_;
  std::string base_url_;
  std::string config_path_;
  std::unique_ptr<process> program_;
  std::uint16_t port_ = 0;
  std::uint16_t admin_port_ = 0;
  bool crashed_ = false;
};

/// Asks until it is so, or `patience` is over.
bool eventually(const std::function<bool()>& so, std::chrono::milliseconds limit = patience);

/// Something that happens once, or so many times, for others to wait for.
class event {
 public:
  void set(std::size_t n = 1);
  bool wait(std::size_t n = 1, std::chrono::milliseconds limit = patience);
  std::size_t count() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

/// Sets its event at the end of a scope: whatever a test does, its upstream's threads go on.
class release_at_end {
 public:
  explicit release_at_end(event& e) : event_(e) {}
  ~release_at_end() { event_.set(1'000'000); }
  release_at_end(const release_at_end&) = delete;
  release_at_end& operator=(const release_at_end&) = delete;

 private:
  event& event_;
};

/// The documented fields of tokens a minute; without `reset` when it is empty.
std::string token_headers(int limit, int remaining, const std::string& reset = "");

/// A quota refusal as the provider sends it.
std::string quota_refusal(const std::string& fields);

/// The order in which `marks` appear in the bodies that the upstream saw.
std::vector<std::string> bodies_seen(const fake_upstream& upstream, const std::vector<std::string>& marks);

/// As many descriptors as the system grants.
void raise_descriptor_limit();

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;  // memory use says nothing then
#else
constexpr bool sanitized = false;
#endif

}  // namespace cooldown::testing
