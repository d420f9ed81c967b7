// Waits of a request before it is sent: for quota and for the circuit breaker, with comments that keep its client from
// timing out.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cooldown/net/client_writer.hpp"

namespace cooldown::net {

/// The result of waiting for the circuit breaker.
struct breaker_answer {
  upstream_ptr of;  // the upstream whose breaker answered: make the attempt there
  breaker_gate::passage passage;
  bool leaves = false;  // another destination serves the request: there was no answer
};

/// The waits of one exchange, each at a destination that must outlive it.
class waiting {
 public:
  /// `first_comment`: the client reads an event stream, and gets comments after waiting this long.
  waiting(client_connection& c, exchange_record& record, client_writer& writer, std::optional<duration> first_comment)
      : c_(c), record_(record), writer_(writer), first_comment_(first_comment) {}

  /// Waits until the ticket is released or rejected, or the interrupt fires. `in_progress`: it was released before, so
  /// during a shutdown it may continue if it need not wait. At `ask_at`, or if the destination wants it, the wait ends
  /// with `still_waiting`, and is to be continued, here or elsewhere.
  task<admission::result> for_quota(destination& at, ticket_id id, bool in_progress,
                                    time_point ask_at = time_point::max());

  /// Waits until an attempt is allowed, `until` has passed, the destination retires, or the interrupt fires. With a
  /// ticket (`id` not 0) the request is shown as waiting. `served_elsewhere` (may be null) is asked at first, every
  /// second, and when the gate says so: if it is true, the wait ends.
  task<breaker_answer> for_breaker(destination& at, ticket_id id, time_point until,
                                   const std::function<bool()>* served_elsewhere = nullptr);

  /// Pauses; false if the interrupt fired. With a ticket the request is shown as waiting.
  task<bool> pause(destination& at, ticket_id id, duration how_long);

 private:
  time_point first_comment_of(time_point since) const;
  task<time_point> comment(const destination& at, ticket_id id);
  static std::string place_in_queue(const destination& at, ticket_id id);
  void enter_queue();

  client_connection& c_;
  exchange_record& record_;
  client_writer& writer_;
  std::optional<duration> first_comment_;
  std::optional<time_point> next_comment_;  // of a wait for quota that is to be continued
};

}  // namespace cooldown::net
