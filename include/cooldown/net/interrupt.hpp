// The only way to end a wait from outside: deadlines, disconnects, shutdown. It wakes the coroutine by cancelling the
// socket or timer that it waits for; the coroutine asks why() and decides. Runs on the io thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cooldown/net/asio.hpp"

namespace cooldown::net {

enum class interruption : std::uint8_t { none, timeout, client_gone, draining };

/// One coarse timer for all deadlines: a deadline passes up to `resolution` late, never early, and setting one is two
/// assignments. Time in which this process did not run (stopped, or the machine suspended) does not count for any
/// deadline: what peers sent meanwhile is still to be read, and what they could not send is not their fault. Must
/// outlive its entries.
class deadline_sweep {
 public:
  static constexpr duration resolution = std::chrono::milliseconds{100};
  /// If a round is later than this, the process was not running.
  static constexpr duration away = std::chrono::seconds{1};

  /// Something with a deadline. Linked while it is set.
  class entry {
   public:
    explicit entry(deadline_sweep& sweep) : sweep_(sweep) {}
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    virtual void expired() = 0;

    virtual ~entry();

    void set(duration from_now);
    /// Extends the deadline by `earned`, to at most `most` from now; no effect if none is set.
    void extend(duration earned, duration most);
    void clear();

   private:
    friend class deadline_sweep;
    deadline_sweep& sweep_;
    time_point at_{};
    entry* next_ = nullptr;
    entry* previous_ = nullptr;
    bool linked_ = false;
  };

  explicit deadline_sweep(asio::io_context& io) : timer_(io) {}

 private:
  void link(entry& e);
  void unlink(entry& e);
  void start();
  void sweep();

  steady_timer timer_;
  bool running_ = false;
  time_point due_{};  // the next round
  entry* first_ = nullptr;
  entry* cursor_ = nullptr;  // the next entry while sweeping: expired() may end any entry
};

class upstream_connection;

/// What a session is waiting for, and why it should stop waiting.
class interrupt final : public deadline_sweep::entry {
 public:
  interrupt(deadline_sweep& sweep, tcp_socket& client) : entry(sweep), client_(client) {}

  /// Ends the current wait. The first reason stays until reset().
  void fire(interruption why);
  interruption why() const { return why_; }
  bool fired() const { return why_ != interruption::none; }
  void reset() { why_ = interruption::none; }

  void set(duration from_now);
  /// The deadline of a client that has bytes to take: what it takes of those that wait in its socket earns it time, at
  /// the pace of body_pace. So its reading is seen long before the socket has room again.
  void set_for_taking(duration from_now);

  void expired() override;

  tcp_socket& client() { return client_; }

  /// During its lifetime, fire() also cancels the given connection or timer.
  template <class Cancellable>
  class watching {
   public:
    watching(interrupt& owner, Cancellable& what) : owner_(owner), previous_(slot()) { slot() = &what; }
    ~watching() { slot() = previous_; }
    watching(const watching&) = delete;
    watching& operator=(const watching&) = delete;

   private:
    Cancellable*& slot() {
      if constexpr (std::is_same_v<Cancellable, upstream_connection>) {
        return owner_.upstream_;
      } else {
        static_assert(std::is_same_v<Cancellable, steady_timer>);
        return owner_.timer_;
      }
    }
    interrupt& owner_;
    Cancellable* previous_;
  };

 private:
  tcp_socket& client_;
  upstream_connection* upstream_ = nullptr;
  steady_timer* timer_ = nullptr;
  interruption why_ = interruption::none;
  std::size_t untaken_ = 0;  // bytes in the client's socket, as last seen; 0: taking them earns nothing
};

}  // namespace cooldown::net
