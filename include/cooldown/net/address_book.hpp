// Looks up and remembers the addresses of a host name.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

using endpoints = std::vector<asio::ip::tcp::endpoint>;

/// The addresses of one host. There is at most one look-up in progress; every caller waits for that one, with its own
/// time limit. Known addresses are used while they are looked up again, and if that fails. Look-ups run on threads of
/// their own, because getaddrinfo() cannot be interrupted; nothing ever waits for such a thread (docs/decisions/013).
class address_book {
 public:
  address_book(asio::io_context& io, std::string host, std::uint16_t port);
  ~address_book() { close(); }
  address_book(const address_book&) = delete;
  address_book& operator=(const address_book&) = delete;

  /// Returns in `out` the addresses in the order in which to try them (RFC 8305 §4). An error if there are none, or if
  /// the interrupt fires first.
  task<error_code> find(interrupt& ctl, endpoints& out);

  /// This address worked: it is tried first from now on, as long as it is one of the host's.
  void worked(const asio::ip::tcp::endpoint& at);
  /// None of the addresses answers: they may have changed, so the next caller waits for a new look-up.
  void doubt() { doubted_ = true; }

  /// Abandons the current look-up and starts no more. Waiting callers get an error.
  void close();

  const std::string& host() const { return host_; }

 private:
  struct look_up;

  bool is_old(time_point now) const;
  void begin(time_point now);
  void ended(endpoints found, error_code failed);
  void put_first(const asio::ip::tcp::endpoint& at);
  task<void> wait(interrupt& ctl);

  asio::io_context& io_;
  std::string host_;
  std::uint16_t port_;
  bool fixed_ = false;  // an address, or localhost: nothing to look up
  bool closed_ = false;
  bool doubted_ = false;
  endpoints known_;
  time_point known_since_{};
  std::optional<asio::ip::tcp::endpoint> good_;
  error_code failed_;  // the last look-up
  time_point failed_at_{};
  std::shared_ptr<look_up> pending_;
  std::list<steady_timer*> waiting_;
};

}  // namespace cooldown::net
