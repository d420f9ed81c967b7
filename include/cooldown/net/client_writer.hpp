// Writes to the client of one exchange in the form that is still possible: a complete answer, or, once a comment has
// begun an event stream, events.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cooldown/exchange/exchange_plan.hpp"
#include "cooldown/net/exchange_record.hpp"
#include "cooldown/net/relay.hpp"
#include "cooldown/net/reply.hpp"

namespace cooldown::net {

/// All functions except comment() end the answer, and return whether the client's connection can carry another request.
class client_writer {
 public:
  client_writer(client_connection& c, const request& r, exchange_record& record, const config::settings& settings)
      : c_(c), r_(r), record_(record), settings_(settings) {}

  /// Sends a comment. The first one begins the event stream with status 200. False: the client has disconnected.
  task<bool> comment(std::string text);
  bool committed() const { return committed_; }

  /// Sends an error of the proxy.
  task<bool> reject(reason why, refusal_details details);

  /// Sends an answer of the provider that was read completely.
  task<bool> whole(const http::response_head& head, std::string body);

  /// Relays an answer of the provider as it arrives, with pauses of at most `idle`; `usage` may be null.
  task<relay_end> relay(upstream_connection& from, const http::response_head& head, duration idle,
                        http::usage_reader* usage);
  /// After relay(): whether the client's connection can carry another request.
  bool keeps_connection() const { return keep_; }

 private:
  task<bool> end_with_event(std::string_view data);
  task<relay_end> relay_as_event(upstream_connection& from, const http::response_head& head, duration idle,
                                 http::usage_reader* usage);
  std::string head_for(const http::response_head& head, bool keep, std::optional<std::size_t> length) const;
  std::vector<std::string_view> secrets() const;
  bool wants_close() const { return !r_.keep_alive || c_.port.draining; }

  client_connection& c_;
  const request& r_;
  exchange_record& record_;
  const config::settings& settings_;
  bool committed_ = false;
  bool keep_ = false;
};

}  // namespace cooldown::net
