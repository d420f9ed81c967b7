// Where a request waits before it is sent: for quota and for the circuit breaker, with comments that keep its client
// patient.
#pragma once

#include <optional>
#include <string>

#include "cooldown/net/client_writer.hpp"

namespace cooldown::net {

/// What came of waiting for the circuit breaker.
struct breaker_answer {
  upstream_ptr of;  // whose breaker it was: the attempt is to be made there
  breaker_gate::passage passage;
};

/// The waits of one exchange.
class waiting {
 public:
  /// `first_comment`: the client reads an event stream, and gets comments once it has waited so long.
  waiting(client_connection& c, exchange_record& record, client_writer& writer, std::optional<duration> first_comment)
      : c_(c), record_(record), writer_(writer), first_comment_(first_comment) {}

  /// Until the ticket is released or refused, or the interrupt fires. `in_progress`: it has been released before, and a
  /// shutdown lets it go on if it need not wait.
  task<admission::result> for_quota(ticket_id id, bool in_progress);

  /// Until an attempt is allowed, `until` has passed or the interrupt fires. With a ticket that has a place to keep
  /// (`id` not 0) it shows as waiting.
  task<breaker_answer> for_breaker(ticket_id id, time_point until);

  /// False: the interrupt fired. With a ticket it shows as waiting.
  task<bool> pause(ticket_id id, duration how_long);

 private:
  time_point first_comment_of(time_point since) const;
  task<time_point> comment(ticket_id id);
  std::string place_in_queue(ticket_id id) const;
  void enter_queue();

  client_connection& c_;
  exchange_record& record_;
  client_writer& writer_;
  std::optional<duration> first_comment_;
};

}  // namespace cooldown::net
