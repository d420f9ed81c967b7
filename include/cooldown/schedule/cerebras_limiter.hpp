// The limiter. Every metered request is a ticket here, from its submission to the end of its answer. The limiter
// decides which ticket is sent when; its caller performs that. No I/O, no clock, no callbacks: time and facts come in,
// decisions go out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "cooldown/dialect/dialect.hpp"
#include "cooldown/exchange/outcome.hpp"
#include "cooldown/schedule/arrivals.hpp"
#include "cooldown/schedule/cost_estimator.hpp"
#include "cooldown/schedule/crowd.hpp"
#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/schedule/quota.hpp"
#include "cooldown/schedule/request_queue.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown {

struct limiter_settings {
  quota_settings quota;
  std::size_t max_depth = 1'000;                 // tickets waiting
  std::size_t max_bytes = 256ULL * 1024 * 1024;  // bytes of their bodies
  std::size_t max_in_flight = 0;                 // released and not yet settled; 0: no bound
  std::size_t max_scopes = 1'024;                // one more replaces another: see evict_one()
  duration ageing = std::chrono::seconds{30};    // a class that has waited so long gets a release out of turn; 0: never
  /// Limits by model; a model that is listed has these instead of quota.limits.
  std::map<std::string, configured_limits, std::less<>> models;
  cooldown::dialect dialect = cooldown::dialect::automatic;  // automatic: as answers show
  header_names headers;                                      // further rate-limit headers
};

/// Identifies a scope, which has one quota: the credential sent to the provider, as a salted hash, and the model.
struct scope_name {
  std::uint64_t credential = 0;
  std::string_view model;
};

struct ticket_facts {
  scope_name scope;
  /// The model could not be read: the ticket waits with whichever of the credential's models will have quota last, and
  /// teaches that scope nothing.
  bool unread = false;
  /// Nobody can tell how many tokens it takes: it counts as a request, and teaches nothing of costs.
  bool unweighed = false;
  request_size size;
  std::size_t body_bytes = 0;
  duration max_wait = std::chrono::minutes{10};
  std::uint64_t client = 0;  // hash; its fair share is charged
  std::uint64_t group = 0;   // of clients that have one share between them; 0: the client alone
  double weight = 1;         // of that client's share
  std::uint8_t urgency = 3;  // RFC 9218: 0 is the most urgent, 7 the least
  /// Hash of the request's body. If a ticket ends while it waits (disconnect, rejection) and the same request comes
  /// back within two minutes, it resumes its position. 0: unknown. Needed only if awaits_returns().
  std::uint64_t body_hash = 0;
  /// When it arrived, if it has waited at another limiter; nullopt: now.
  std::optional<time_point> arrived{};
  /// Its number in the order of arrival, if several limiters share one; unique. 0: the limiter numbers its tickets.
  std::uint64_t arrival = 0;
  /// How often it has been refused for lack of capacity, by whichever provider, so that its backoff grows wherever it
  /// goes; and until when it has to wait here because this one has refused it (observation::backs_off_until).
  unsigned refused_before = 0;
  time_point not_before{};
};

/// The position of a waiting ticket by the current plan.
struct standing {
  std::size_t position;  // 1: next
  time_point expected;   // when it will be released; while paused: when it would be if resumed now
  constraint held_by;    // what it waits for
};

/// The request may be sent now.
struct go {
  ticket_id id;
};
/// The ticket waits; poll() will return it when it is released or rejected.
struct queued {
  ticket_id id;
  std::size_t position;  // 1: next
  time_point expected;   // when it will be released; see standing
  constraint held_by;    // what it waits for
};
/// The request is rejected, and there is no ticket.
struct refused {
  reason why;
  std::optional<duration> retry_after;  // nullopt: unknown, for example while the model is paused
  double cost = 0;                      // its estimated cost in tokens
  double limit = 0;                     // the limit that it exceeds, in tokens; 0: none
};
using decision = std::variant<go, queued, refused>;

/// What poll() decided about a waiting ticket.
struct ticket_event {
  ticket_id id;
  std::optional<refused> refusal;  // nullopt: released
};

/// A response head.
struct answer {
  unsigned status = 0;
  header_view headers;
  error_fields error;  // of a 429's body
};

enum class verdict : std::uint8_t {
  pass,         // give the answer to the client
  queue_again,  // do not give it to the client: the ticket waits again
  refuse,       // give the client `refusal` instead; the ticket still has to be settled
};

struct observation {
  verdict what = verdict::pass;
  std::optional<refused> refusal{};
  bool incurable = false;  // pass: no wait helps, because the account has to be paid for or allowed
  std::optional<time_point> backs_off_until{};  // refused for lack of capacity: the end of the ticket's own backoff
  std::string header_problem{};                 // why the rate-limit headers could not be used; empty: no problem
};

/// What response headers say about the scope's quota (docs/api.md).
struct scope_status {
  double current_token_limit = 0;  // tokens a minute, from headers; 0: none seen
  double remaining_tokens = 0;     // now, after deducting requests in flight
  std::optional<time_point> next_reset;
  std::optional<time_point> last_update;
};

/// Totals of a scope since it was created.
struct scope_totals {
  std::uint64_t released = 0;  // requests
  double tokens_released = 0;  // reserved for them
  double tokens_used = 0;      // by requests whose answers reported usage
  std::uint64_t refused = 0;   // 429s of the provider
};

/// One scope, for /status, the live page and metrics.
struct scope_report {
  std::string model;
  std::uint64_t credential = 0;
  std::size_t queued = 0;
  std::size_t in_flight = 0;
  scope_status tokens;
  struct budget_report {
    resource counts;
    window over;
    double limit;
    double level;
    refill model;
    bool confirmed;
    bool reported;
    std::optional<time_point> next_reset;
  };
  std::vector<budget_report> budgets;
  std::optional<binding_limit> binding;  // see quota::binding(); nullopt: no limit is known
  double tokens_per_char = 0;
  double use_share = 1;                          // the share of reserved tokens that requests use
  std::optional<std::size_t> concurrency_limit;  // requests that the provider takes at once; nullopt: no limit is known
  basis decides = basis::fallback;
  bool paused = false;
  bool succeeded = false;                 // the provider has answered 2xx, so the model exists for this credential
  constraint held_by = constraint::none;  // what the next ticket waits for; none: no ticket waits
  scope_totals totals;
  /// In the order of release if no others arrive.
  struct waiting_ticket {
    ticket_id id;
    std::uint64_t client;
    std::uint8_t urgency;
    double cost;
    duration waited;
    std::optional<duration> expected_in;  // nullopt: the time cannot be known
    constraint held_by;
  };
  std::vector<waiting_ticket> waiting;
};

struct limiter_counters {
  std::uint64_t header_parsing_success = 0;
  std::uint64_t header_parsing_failures = 0;
  std::uint64_t dynamic_timings_used = 0;   // releases decided by headers
  std::uint64_t fallback_timings_used = 0;  // releases decided by the configured limits
  std::uint64_t released = 0;
  std::uint64_t waited = 0;             // of these, after waiting
  std::uint64_t upstream_refusals = 0;  // 429s that went back to the queue
};

/// Not thread-safe. Time must not run backwards between calls.
class cerebras_limiter {
 public:
  explicit cerebras_limiter(const limiter_settings& settings);
  ~cerebras_limiter();
  cerebras_limiter(const cerebras_limiter&) = delete;
  cerebras_limiter& operator=(const cerebras_limiter&) = delete;

  void configure(const limiter_settings& settings, time_point now);

  /// Submits a request. Its cost is reserved in every budget at once when it is released.
  decision submit(const ticket_facts& facts, time_point now);

  /// Whether a request that comes now may be one that waited before, so that its `body_hash` matters.
  bool awaits_returns() const { return arrivals_.size() > 0; }

  /// Hash of the body of a ticket that waits now, if submit() was not told it (ticket_facts::body_hash).
  void identify(ticket_id id, std::uint64_t body_hash);

  /// What submit() would answer, as far as is known: when the request would be released (at once: `now`), or why it
  /// would be rejected. Nothing is reserved, and no ticket is made.
  std::variant<standing, refused> foresee(const ticket_facts& facts, time_point now);

  /// The tickets that are released now, and those that are rejected because they have waited too long.
  std::vector<ticket_event> poll(time_point now);

  /// When poll() has to be called next, if nothing else happens. nullopt: no ticket waits.
  std::optional<time_point> next_deadline(time_point now);

  /// The provider answered a released ticket. After queue_again the ticket waits as before its release; one that was
  /// refused for lack of capacity also waits for its own backoff, while others are released.
  observation observe(ticket_id id, const answer& a, time_point now, wall_time wall);

  /// The answer is complete and cost `actual` tokens (nullopt: unknown, estimated as in leave()). `prompt_tokens` as
  /// reported by the provider; `cached_tokens` of them were cached.
  void settle(ticket_id id, std::optional<std::uint64_t> actual, std::optional<std::uint64_t> prompt_tokens,
              time_point now, std::uint64_t cached_tokens = 0);

  /// A released ticket will be sent later than its release allows. Its reservation ends, it returns to its position in
  /// the queue, and poll() releases it again when it fits. `sent`: an attempt may have reached the provider, so its
  /// expected use stays charged to the quota, though not to the client.
  void renew(ticket_id id, time_point now, bool sent = false);

  /// Ends a released ticket whose request never reached the provider: nothing was charged.
  void not_sent(ticket_id id, time_point now);

  /// Ends the ticket, whatever its state: its client disconnected, or its exchange failed. The use of a released ticket
  /// is estimated on the high side: its input plus the tokens that were `relayed`; without an answer (nullopt), what
  /// similar requests use, or its whole cost if that is unknown. Unknown ids are ignored.
  void leave(ticket_id id, time_point now, std::optional<std::uint64_t> relayed = std::nullopt);

  /// Everything learned, with levels and ages, for restore() in another process. Requests in flight count as spent.
  learned_state save(time_point now, wall_time wall);

  /// Continues from save(): levels have risen since then by the wall clock, and what has expired is dropped. Invalid
  /// parts are ignored, and so are scopes that already exist.
  void restore(const learned_state& state, time_point now, wall_time wall);

  /// Learns from rate-limit headers that belong to no ticket. Returns why they could not be used; nullopt: no problem.
  std::optional<std::string> update_from_headers(const scope_name& scope, header_view headers, time_point now,
                                                 wall_time wall);

  scope_status status(const scope_name& scope, time_point now);
  /// Of the scope that was used last, for answers that belong to none.
  scope_status latest_status(time_point now);

  /// While paused, no ticket of the scope is released. Returns false if there is no such scope.
  bool pause(const scope_name& scope, bool paused);

  /// The same for all scopes of a model, including future ones. Returns false if no request has named the model.
  bool pause_model(std::string_view model, bool paused);

  /// The same for all scopes, present and future ones.
  void pause_all(bool paused);
  bool all_paused() const { return all_paused_; }

  /// All scopes, each with its first `most_waiting` tickets in the queue.
  std::vector<scope_report> report(time_point now, std::size_t most_waiting = 1'000);
  /// The provider's dialect; automatic: not known yet.
  cooldown::dialect dialect() const {
    return settings_.dialect == cooldown::dialect::automatic ? seen_ : settings_.dialect;
  }
  std::size_t queue_length() const { return queued_; }
  std::size_t in_flight() const { return in_flight_; }
  std::size_t queued_bytes() const { return queued_bytes_; }
  const limiter_counters& counters() const { return counters_; }
  /// Number of entries kept: tickets, and a bounded number for each scope.
  std::size_t entries() const;

  /// nullopt: the ticket does not wait.
  std::optional<standing> standing_of(ticket_id id, time_point now) const;

  /// Tokens reserved for a ticket; 0 when unknown.
  double cost_of(ticket_id id) const;

 private:
  struct scope;
  struct ticket;
  struct agenda;

  static std::string key_of(const scope_name& name);
  static bool fit(ticket& t, double limit, time_point now);
  ticket ticket_of(const ticket_facts& facts, time_point now);
  refused too_large(const ticket& t, time_point now) const;
  bool goes_at_once(const ticket& t, time_point now) const;
  std::optional<refused> too_late(const ticket& t, const standing& plan, time_point now) const;
  scope& scope_of(const scope_name& name, time_point now);
  scope* find(const scope_name& name) const;
  void recognize(scope& s, header_view headers, time_point now);
  scope& strictest(const scope_name& name, time_point now);
  scope_status status_of(scope& s, time_point now);
  void evict_one(time_point now);
  bool careful(const scope& s, time_point now) const;
  bool estimate(ticket& t, time_point now);
  void estimate_again(scope& s, time_point now);
  void revise(ticket& t, double cost, double input, time_point now);
  void observe_charge(ticket& t, const seen_charge& seen, time_point now);
  quota_settings quota_of(std::string_view model) const;
  bool has_room_for(const ticket& t) const;
  bool make_room_for(const ticket& t, time_point now);
  void place(ticket_id id, ticket& t, time_point now);
  void displace(ticket_id id, ticket& t);
  void enqueue(ticket_id id, ticket& t, time_point now);
  void start_waiting(ticket_id id, ticket& t);
  void withdraw(ticket_id id, ticket& t);
  void take_back(ticket_id id, ticket& t, time_point now);
  void put_back(ticket_id id, ticket& t, time_point now);
  observation defer(ticket_id id, ticket& t, std::optional<duration> told, time_point now);
  static time_point deferred_until(const ticket& t);
  time_point return_deferred(scope& s, time_point now);
  void stop_waiting(ticket_id id, const ticket& t);
  void keep_arrival(const ticket& t, time_point now);
  void count_release(const ticket& t, time_point now);
  void release(ticket_id id, ticket& t, time_point now);
  void end_flight(ticket_id id, ticket& t);
  static void charge(ticket& t, double tokens);
  static double probable_use(const ticket& t, std::optional<std::uint64_t> relayed);
  void finish(ticket_id id);
  bool may_go(std::size_t in_flight) const {
    return settings_.max_in_flight == 0 || in_flight < settings_.max_in_flight;
  }
  struct turn {
    const request_queue::head* goes;  // nullptr: none may be released now
    time_point next;                  // when one may
  };
  turn turn_of(scope& s, time_point now);
  run_ahead ahead_of(scope& s, time_point now) const;
  time_point alone(const ticket& t, time_point now) const;
  template <class Visitor>
  run_ahead preview(scope& s, std::size_t most, time_point now, Visitor visit) const;
  time_point expected_behind(const ticket& t, const request_queue::backlog& ahead, time_point now) const;
  standing plan_of(ticket_id id, const ticket& t, time_point now) const;
  duration certain_wait(const ticket& t, const standing& plan, time_point now) const;
  static std::optional<duration> retry_after(const standing& plan, duration least, time_point now);
  constraint held_by(const ticket& t, time_point now) const;
  const ticket* next_waiting(const scope& s, time_point now) const;
  std::vector<scope_report::waiting_ticket> waiting_of(scope& s, std::size_t most, time_point now) const;
  void change(scope& s);
  void look(time_point now);
  void rest(scope& s);
  const request_queue::head* next_of_all(time_point now);
  void release_ready(time_point now, std::vector<ticket_event>& events);
  bool refuse_overdue(time_point now, std::vector<ticket_event>& events);
  static void find_windows(scope& s, rate_limit_snapshot& seen, time_point now);
  const rate_limit_snapshot* parse(scope& s, header_view headers, bool expected, time_point now, wall_time wall,
                                   rate_limit_snapshot& into, std::string& problem);
  observation observe_refusal(ticket_id id, ticket& t, const answer& a, const rate_limit_snapshot* snapshot,
                              time_point now, wall_time wall);

  limiter_settings settings_;
  std::unordered_map<std::string, std::unique_ptr<scope>> scopes_;
  std::unique_ptr<agenda> agenda_;
  std::set<std::pair<time_point, scope*>> idle_;  // scopes that were without tickets, by when they may be forgotten
  std::set<std::pair<std::uint64_t, scope*>> succeeded_;  // by credential: those that the provider has admitted
  std::set<std::string, std::less<>> paused_models_;
  bool all_paused_ = false;
  std::unordered_map<ticket_id, ticket> tickets_;
  std::set<std::pair<time_point, ticket_id>> deadlines_;  // of the tickets that wait
  arrivals arrivals_;                                     // of those that waited in vain
  crowd crowd_;                                           // of those that wait
  scope* latest_ = nullptr;
  ticket_id next_ticket_ = 1;
  std::uint64_t next_arrival_ = 1;
  std::size_t queued_ = 0;
  std::size_t queued_bytes_ = 0;
  std::size_t in_flight_ = 0;
  bool out_of_turn_ = false;  // the last that went passed a more urgent one of another scope
  cooldown::dialect seen_ = cooldown::dialect::automatic;  // in the headers of answers
  unsigned unrecognized_ = 0;                              // answers whose headers did not say
  limiter_counters counters_;
};

}  // namespace cooldown
