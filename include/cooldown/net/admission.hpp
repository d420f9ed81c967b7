// Connects the limiter with the coroutines that wait for its decisions: one timer for all of them.
#pragma once

#include "cooldown/net/interrupt.hpp"
#include "cooldown/schedule/limiter_driver.hpp"

namespace cooldown::net {

/// Wakes waiting tickets when the limiter says so. Runs on the io thread.
class admission {
 public:
  admission(asio::io_context& io, cerebras_limiter& limiter) : io_(io), driver_(limiter), timer_(io) {}

  cerebras_limiter& limiter() { return driver_.limiter(); }

  /// To be called after everything that may release a ticket: an observation, a settlement, a disconnect, new settings.
  void update();

  /// Ends all waits with `still_waiting`: their requests may have to go elsewhere.
  void ask_again();

  /// Waits for the ticket's release or rejection. If the interrupt fires or `until` passes first, it may be called
  /// again.
  struct result {
    enum class what : std::uint8_t { released, refused, still_waiting, interrupted } kind;
    refused why{};
  };
  task<result> wait(ticket_id id, time_point until, interrupt& ctl);

 private:
  struct waiter {
    explicit waiter(asio::io_context& io) : timer(io) {}
    steady_timer timer;
    std::optional<ticket_event> event;
  };
  /// Removes the waiter, however the wait ends.
  struct waiting_scope {
    limiter_driver<waiter*>& driver;
    ticket_id id;
    ~waiting_scope() { driver.stop_waiting(id); }
  };
  friend class ticket_guard;

  asio::io_context& io_;
  limiter_driver<waiter*> driver_;
  steady_timer timer_;
};

/// Owns a ticket: the destructor takes it out of the queue or ends its reservation.
class ticket_guard {
 public:
  ticket_guard(admission& gate, ticket_id id) : gate_(&gate), id_(id) {}
  ticket_guard(ticket_guard&& other) noexcept
      : gate_(other.gate_), id_(std::exchange(other.id_, 0)), relayed_(other.relayed_) {}
  ticket_guard& operator=(ticket_guard&&) = delete;
  ~ticket_guard();

  ticket_id id() const { return id_; }

  /// The answer is complete and cost `actual` tokens, if known.
  void settle(std::optional<std::uint64_t> actual, std::optional<std::uint64_t> prompt_tokens,
              std::uint64_t cached_tokens = 0);
  /// An answer has arrived, and `tokens` of it have been relayed: the basis of the estimate if the ticket ends without
  /// settle().
  void relayed(std::uint64_t tokens) { relayed_ = tokens; }
  /// No part of the request reached the provider: the ticket leaves the queue, or its reservation is given back.
  void not_sent();

 private:
  admission* gate_;
  ticket_id id_;  // 0: ended
  std::optional<std::uint64_t> relayed_;
};

}  // namespace cooldown::net
