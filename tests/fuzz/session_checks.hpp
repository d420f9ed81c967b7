// What a session may make of its client's bytes, worked out from the bytes alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/config.hpp"

namespace cooldown::fuzz {

struct expected_request {
  std::string method;
  std::string target;
  std::string body;
  bool http11 = true;
};

/// The requests that are sound and complete, up to the first that is not.
struct expectation {
  std::vector<expected_request> requests;
  std::string last_method;  // of one that was refused or cut short after a sound head; else empty
};

expectation expectation_of(std::string_view client_bytes, const config::server_settings& limits);

/// What reached the upstream: one request, whole, and nothing that the client did not ask for in this order.
class forwarded_checks {
 public:
  forwarded_checks(const expectation& expected, const config::cerebras_settings& settings)
      : expected_(expected), settings_(settings) {}

  /// Takes one request off the front of `bytes` and judges it; false when it is not complete yet.
  bool take(std::string& bytes);

  const std::string& last_method() const { return last_method_; }

 private:
  void check_head(std::string_view head_bytes) const;

  const expectation& expected_;
  const config::cerebras_settings& settings_;
  std::size_t next_ = 0;
  std::string last_method_;
};

/// How a connection came to its end.
enum class ending { open, end, reset };

/// An answer and its body, without its framing.
struct whole_answer {
  unsigned status;
  std::string body;
  bool operator==(const whole_answer&) const = default;
};

/// The whole answers in what an upstream sent in answer to requests with these methods.
std::vector<whole_answer> answers_of(std::string_view sent, const std::vector<std::string>& methods, ending how);

/// What reached the client: answers in well-formed HTTP/1.1, each to its request. Returns those of the upstream that
/// the client must take for whole.
std::vector<whole_answer> check_answers(std::string_view bytes, const expectation& expected, ending how);

}  // namespace cooldown::fuzz
