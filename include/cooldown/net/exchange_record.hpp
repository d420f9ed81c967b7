// Facts about an exchange, for the headers of its answer, the log and the counters.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cooldown/net/client_connection.hpp"
#include "cooldown/net/destination.hpp"
#include "cooldown/net/request.hpp"
#include "cooldown/observe/access_record.hpp"

namespace cooldown::net {

/// Lives as long as the exchange; its destructor counts the exchange and writes the access line.
class exchange_record {
 public:
  exchange_record(client_connection& c, destination_ptr at, const request& r);

  /// The request goes to, or waits for, another destination.
  void goes_to(destination_ptr at) { at_ = std::move(at); }
  /// Of the scope there: a hash of the client's own key, or the account's number for ours.
  std::uint64_t credential() const { return (at_->upstream_of_now()->takes_client_keys() ? key_ : 0) ^ at_->id(); }

  ~exchange_record();
  exchange_record(const exchange_record&) = delete;
  exchange_record& operator=(const exchange_record&) = delete;

  time_point started() const { return started_; }

  /// Sets the client of a metered request; calls `name()` unless the client's name is known.
  template <class F>
  void belongs_to(const client_standing& who, F name) {
    client_ = who.client;
    urgency_ = who.urgency;
    c_.port.telemetry.names.see(client_, name);
    line.who = c_.port.telemetry.names.of(client_);
  }

  /// The entry for /status while the request waits after its release.
  observe::held_request held_until(std::optional<time_point> until) const {
    return {credential(), line.model, client_, urgency_, line.cost, started_, until};
  }

  /// The request waits for `reason` since `since`, expected to end at `expected`, if that is known.
  void waits(constraint reason, time_point since, std::optional<time_point> expected);
  /// Adds the wait until `now`, whether it continues or not, to the earlier ones.
  void waited_until(time_point now);
  void forget_wait() { wait_since_.reset(); }
  /// The limiter has released the request: its wait is over, and its forecast can be compared.
  void released();

  /// Header lines that every answer of this exchange carries (docs/api.md).
  void append_fields(std::string& out) const;

  duration waited() const { return waited_; }

  /// The access line, filled in step by step; its model names the scope of a metered request.
  observe::access_record line;
  duration upstream_time{};  // from sending the last attempt to its response head

 private:
  client_connection& c_;
  destination_ptr at_;
  bool metered_;
  std::uint64_t key_;  // of the client
  std::uint64_t client_ = 0;
  std::uint8_t urgency_ = 0;
  time_point started_ = steady_now();
  duration waited_{};
  duration waited_before_{};  // the waits before the current one
  duration recorded_{};       // part of the waits already counted
  bool released_before_ = false;
  std::optional<time_point> wait_since_;
  std::optional<duration> forecast_;  // of the first wait, at submission
  bool forecast_judged_ = false;
};

}  // namespace cooldown::net
