// One attempt at the provider: a connection, the request, the answer's head.
#pragma once

#include <string>

#include "cooldown/exchange/exchange_plan.hpp"
#include "cooldown/net/client_connection.hpp"
#include "cooldown/net/destination.hpp"
#include "cooldown/net/request.hpp"

namespace cooldown::net {

/// How an attempt ended, for the plan, for the log and for the client.
struct attempt_result {
  attempt_end end;
  error_code local;     // of this machine
  std::string message;  // for the log
};

/// The time limits for an upstream by the settings that an exchange began with, or its own if it is newer.
const config::timeout_settings& timeouts_of(const config::settings& settings, const upstream& to);

/// The attempts of one exchange, one after another. Holds the connection and the response head of the last.
class upstream_attempt {
 public:
  explicit upstream_attempt(client_connection& c) : c_(c) {}

  /// Sends the request to this upstream only, one of `at`, and reads the head of the answer. `settings` are those that
  /// the exchange began with: their time limits apply. If a reload comes before anything is sent, nothing is sent.
  /// `body` is the request's body, or what takes its place there.
  task<attempt_result> make(const destination& at, upstream_ptr to, const request& r, std::string_view body,
                            const config::settings& settings, bool fresh);

  /// The connection from which the answer's body is still to be read.
  upstream_connection& connection() { return *connection_; }
  /// The answer has been read completely: the connection is kept for other requests, if both sides allow that.
  void finish();
  /// The rest of the answer is not read, so the connection is closed.
  void drop() { connection_.reset(); }

  const http::response_head& head() const { return head_; }
  /// Time from sending the request to the answer's head.
  duration took() const { return took_; }

 private:
  client_connection& c_;
  upstream_ptr to_;
  upstream_pool::connection_ptr connection_;
  std::string head_bytes_;
  http::response_head head_;  // points into them
  duration took_{};
};

}  // namespace cooldown::net
