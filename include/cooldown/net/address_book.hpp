// Where a host name leads.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

using endpoints = std::vector<asio::ip::tcp::endpoint>;

/// The addresses of one host. Whoever asks while a look-up is under way waits for that one, each for as long as it
/// likes. Addresses that are known are used while they are asked for again, and while nobody answers that question.
/// Look-ups run on threads of their own, since getaddrinfo() cannot be interrupted: nobody ever waits for such a thread
/// (docs/decisions/013).
class address_book {
 public:
  address_book(asio::io_context& io, std::string host, std::uint16_t port);
  ~address_book() { close(); }
  address_book(const address_book&) = delete;
  address_book& operator=(const address_book&) = delete;

  /// The addresses in the order in which to try them (RFC 8305 §4). An error, and none, when there are none, or when
  /// the interrupt has fired before they were known.
  task<error_code> find(interrupt& ctl, endpoints& out);

  /// This address is tried first from now on, as long as it is one of the host's.
  void worked(const asio::ip::tcp::endpoint& at);
  /// None of the addresses answers: they may be others now, so whoever asks next waits for a look-up.
  void doubt() { doubted_ = true; }

  /// Abandons the look-up under way, and begins none any more. Who waits is told that there are no addresses.
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
