// Chooses among the destinations for one request. Made only if there are several.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/http/body_facts.hpp"
#include "cooldown/net/request.hpp"
#include "cooldown/net/upstreams.hpp"

namespace cooldown::net {

class itinerary {
 public:
  /// `prefix`: hash of the conversation's beginning; 0: it stays nowhere. All must outlive it.
  itinerary(upstreams& all, const request& r, const http::body_facts& facts, std::uint64_t prefix);

  struct choice {
    destination_ptr to;    // never null
    time_point ask_again;  // time_point::max(): no other destination serves it
    bool serves = true;    // false: it is rejected there, or fails
  };

  /// Where a request should go that came at `since`. `facts` are those of its ticket, whose scope is chosen here; `id`
  /// is its ticket if it waits at `here` (0: it does not wait, and `here` may be null).
  choice choose(const ticket_facts& facts, const destination_ptr& here, ticket_id id, time_point since, time_point now);

  /// The same if `at` had failed it.
  choice choose_without(const destination_ptr& at, const ticket_facts& facts, time_point since, time_point now);

  /// This destination has failed the request, so it does not go there again.
  void failed(const destination_ptr& at) { failed_.push_back(at); }
  /// This destination has refused it for lack of capacity: it does not go there again before `until`, wherever it waits
  /// meanwhile, and its next backoff is longer.
  void backs_off(const destination& at, time_point until);
  /// The facts of its ticket at a destination.
  ticket_facts facts_at(const destination& d, ticket_facts facts) const;

  /// It has been sent there: so is the rest of its conversation.
  void remember(const destination& at, time_point now);

  /// When a request that is rejected may come again, if that is sooner somewhere than `retry_after`.
  std::optional<duration> earliest(const ticket_facts& facts, std::optional<duration> retry_after, time_point now);

 private:
  std::vector<destination_ptr> candidates(const destination_ptr& here) const;
  bool serves(const destination& d) const;
  bool can_rename() const;
  std::optional<std::size_t> cached_at(const std::vector<destination_ptr>& all, time_point now) const;

  upstreams& all_;
  const request& r_;
  const http::body_facts& facts_;
  std::uint64_t prefix_;
  std::vector<destination_ptr> failed_;
  std::map<std::string, time_point> not_before_;  // by the name of the destination that has had no capacity
  unsigned refusals_ = 0;                         // for lack of capacity
  mutable std::optional<bool> can_rename_;
};

/// The scope of a request's ticket at a destination: the credential that it is sent with, and the model's name there.
scope_name scope_at(const destination& d, const request& r, std::string_view model);

}  // namespace cooldown::net
