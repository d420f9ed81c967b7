// One exchange, from the request to its answer: what its parts share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cooldown/exchange/exchange_plan.hpp"
#include "cooldown/http/body_facts.hpp"
#include "cooldown/http/usage_reader.hpp"
#include "cooldown/net/attempt.hpp"
#include "cooldown/net/client_writer.hpp"
#include "cooldown/net/exchange.hpp"
#include "cooldown/net/itinerary.hpp"
#include "cooldown/net/waiting.hpp"

namespace cooldown::net {

/// A metered request has ended: others may go to a provider that is suspected.
struct room_for_others {
  const destination_ptr& at;
  bool metered;
  ~room_for_others() {
    if (metered) at->bound_in_flight();
  }
};

/// The actor: performs the steps of an exchange_plan. Lives in the frame of run(). exchange.cpp has the loop over the
/// steps, exchange_queue.cpp how it waits, exchange_destination.cpp where it goes, exchange_answer.cpp what comes back.
class exchange {
 public:
  static task<bool> run(client_connection& c, request& r, upstreams& to);

 private:
  exchange(client_connection& c, request& r, upstreams& all, http::body_facts facts);

  exchange_step begin();
  std::optional<exchange_step> perform_at_once(const exchange_step& step);
  task<exchange_step> perform(const exchange_step& step);
  exchange_step submit();
  exchange_step renew(bool unsent);
  task<exchange_step> wait_for_quota(bool in_progress);
  std::optional<exchange_step> pass_breaker_at_once();
  task<exchange_step> wait_for_breaker();
  exchange_step passed_breaker(upstream_ptr of, breaker_gate::passage passage);
  task<exchange_step> attempt(bool fresh);
  task<exchange_step> pause(exchange_step step);
  void find_way();
  void goes_to(destination_ptr at);
  exchange_step move(const exchange_step& step);
  std::optional<exchange_step> moved_while_waiting();
  itinerary::choice choose();
  bool may_go_elsewhere();
  void note_key(attempt_end& end);
  void set_aside(std::string_view why);
  std::string_view body_there();
  task<exchange_step> ask_about_429();
  exchange_step interrupted();
  exchange_step rejected(const refused& why);
  observation observe();
  void hang_up(const exchange_step& step);
  task<bool> reject(exchange_step step);
  task<bool> relay();
  void settle(http::usage_reader& usage);
  void note_failure(const attempt_result& result);
  void note_verdict(verdict_on_provider verdict, const attempt_result& result);
  ticket_id ticket() const { return ticket_ ? ticket_->id() : 0; }
  ticket_facts facts_of_ticket();
  std::uint64_t body_hash();

  client_connection& c_;
  upstreams& all_;
  destination_ptr at_;  // where it waits, or is sent; never null
  telemetry& seen_;
  request& r_;
  settings_ptr settings_;
  http::body_facts facts_;
  std::optional<duration> first_comment_;  // after so long a wait
  std::optional<duration> limit_;          // of the client's patience
  duration max_wait_;
  exchange_record record_;
  room_for_others room_;
  upstream_ptr to_;  // where the breaker has allowed an attempt
  breaker_permission permission_;
  std::optional<ticket_guard> ticket_;
  upstream_attempt attempt_;
  client_writer writer_;
  waiting waiting_;
  exchange_plan plan_;
  std::optional<std::string> whole_answer_;   // a 429 that goes to the client
  std::string explanation_;                   // of a rejection
  std::uint64_t body_hash_ = 0;               // 0: not made
  std::string renamed_;                       // the body with the name that the model has at the destination
  std::unique_ptr<itinerary> way_;            // null: there is one destination, or it is not metered
  time_point ask_again_ = time_point::max();  // where to wait
  time_point moved_at_{};                     // most recently, while it waited
};

}  // namespace cooldown::net
