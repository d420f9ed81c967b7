#include "cooldown/net/address_book.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <netdb.h>

namespace cooldown::net {
namespace {

// Long enough to spare a look-up per connection, short enough to follow a provider that moves.
constexpr duration lifetime = std::chrono::seconds{30};
// Addresses that nobody confirms any more are better than none for this long (RFC 8767 §5 recommends one to three
// days).
constexpr duration stale_lifetime = std::chrono::hours{24};
// With addresses at hand, a name server that fails is left alone for this long.
constexpr duration pause_after_failure = std::chrono::seconds{1};
constexpr duration pause_without_memory = std::chrono::milliseconds{50};

error_code error_of(int code, int system_error) {
  switch (code) {
    case 0:
      return {};
    case EAI_AGAIN:
      return asio::error::host_not_found_try_again;
    case EAI_FAIL:
      return asio::error::no_recovery;
    case EAI_MEMORY:
      return asio::error::no_memory;
    case EAI_SYSTEM:
      return {system_error, boost::system::system_category()};
    default:  // EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY
      return asio::error::host_not_found;
  }
}

endpoints endpoints_of(const addrinfo* found) {
  endpoints out;
  for (auto const* a = found; a; a = a->ai_next) {
    asio::ip::tcp::endpoint e;
    if (a->ai_addrlen > e.capacity()) continue;
    std::memcpy(e.data(), a->ai_addr, a->ai_addrlen);
    e.resize(a->ai_addrlen);
    if (std::find(out.begin(), out.end(), e) == out.end()) out.push_back(e);
  }
  return out;
}

/// IPv6 and IPv4 in turn, beginning with the family of the first.
endpoints in_turn(const endpoints& found) {
  endpoints same;
  endpoints other;
  for (auto const& e : found) (e.protocol() == found.front().protocol() ? same : other).push_back(e);
  endpoints out;
  for (std::size_t i = 0; i < std::max(same.size(), other.size()); ++i) {
    if (i < same.size()) out.push_back(same[i]);
    if (i < other.size()) out.push_back(other[i]);
  }
  return out;
}

/// One that waits, however its wait ends.
struct in_line {
  in_line(std::list<steady_timer*>& all, steady_timer& one) : line(all), timer(one) { line.push_back(&timer); }
  ~in_line() { line.remove(&timer); }
  in_line(const in_line&) = delete;
  in_line& operator=(const in_line&) = delete;

  std::list<steady_timer*>& line;
  steady_timer& timer;
};

/// Signals are for the thread that waits for them.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

/// What a thread that looks up shares with who asked, who may be gone before it ends.
struct address_book::look_up {
  look_up(asio::io_context& context, address_book& book) : io(&context), asker(&book) {}

  std::mutex mutex;
  asio::io_context* io;  // null: nobody asks any more; changed and used under the mutex
  address_book* asker;   // used by the io thread alone

  void abandon() {
    std::lock_guard const lock(mutex);
    io = nullptr;
    asker = nullptr;
  }

  static void run(const std::shared_ptr<look_up>& self, const std::string& host, std::uint16_t port) {
    endpoints found;
    error_code failed;
    try {
      failed = ask(host, port, found);
    } catch (const std::bad_alloc&) {
      failed = asio::error::no_memory;
    }
    while (!self->tell(self, found, failed)) std::this_thread::sleep_for(pause_without_memory);
  }

 private:
  static error_code ask(const std::string& host, std::uint16_t port, endpoints& found) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    auto const code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    auto const failed = error_of(code, errno);
    if (code != 0) return failed;
    std::unique_ptr<addrinfo, void (*)(addrinfo*)> const owned(list, ::freeaddrinfo);
    found = endpoints_of(list);
    return {};
  }

  /// Who asked waits for this. False: there is no memory for it.
  bool tell(const std::shared_ptr<look_up>& self, const endpoints& found, error_code failed) {
    std::lock_guard const lock(mutex);
    try {
      if (io)
        asio::post(*io, [self, found, failed] {
          if (self->asker) self->asker->ended(found, failed);
        });
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
};

address_book::address_book(asio::io_context& io, std::string host, std::uint16_t port)
    : io_(io), host_(std::move(host)), port_(port) {
  error_code not_an_address;
  auto const address = asio::ip::make_address(host_, not_an_address);
  if (!not_an_address) known_ = {{address, port_}};
  // Both, whatever /etc/hosts says: servers that listen on "localhost" mostly do on one of them (RFC 6761 §6.3).
  if (host_ == "localhost")
    known_ = {{asio::ip::address_v6::loopback(), port_}, {asio::ip::address_v4::loopback(), port_}};
  fixed_ = !known_.empty();
}

void address_book::close() {
  closed_ = true;
  if (auto const abandoned = std::exchange(pending_, nullptr)) abandoned->abandon();
  for (auto* const timer : waiting_) timer->cancel();
}

bool address_book::is_old(time_point now) const {
  return known_.empty() || doubted_ || now - known_since_ >= lifetime;
}

void address_book::begin(time_point now) {
  if (closed_ || pending_ || (!known_.empty() && failed_ && now - failed_at_ < pause_after_failure)) return;
  try {
    pending_ = std::make_shared<look_up>(io_, *this);
    signals_blocked const blocked;
    std::thread(look_up::run, pending_, host_, port_).detach();
  } catch (const std::system_error& e) {
    ended({}, {e.code().value(), boost::system::system_category()});
  } catch (const std::bad_alloc&) {
    ended({}, asio::error::no_memory);
  }
}

void address_book::ended(endpoints found, error_code failed) {
  auto const now = steady_now();
  pending_.reset();
  if (!failed && found.empty()) failed = asio::error::host_not_found;
  failed_ = failed;
  failed_at_ = now;
  // The name servers say that there is no such name; any other failure says nothing about the name.
  if (failed == asio::error::host_not_found) known_.clear();
  if (!failed) {
    known_ = in_turn(found);
    known_since_ = now;
    doubted_ = false;
    if (good_) put_first(*good_);
  }
  for (auto* const timer : waiting_) timer->cancel();
}

void address_book::put_first(const asio::ip::tcp::endpoint& at) {
  auto const found = std::find(known_.begin(), known_.end(), at);
  if (found != known_.end()) std::rotate(known_.begin(), found, found + 1);
}

void address_book::worked(const asio::ip::tcp::endpoint& at) {
  good_ = at;
  put_first(at);
}

task<void> address_book::wait(interrupt& ctl) {
  steady_timer timer(io_);
  timer.expires_at(time_point::max());
  in_line const here{waiting_, timer};
  interrupt::watching<steady_timer> const watched(ctl, timer);
  if (!ctl.fired()) co_await timer.async_wait(tok);
}

task<error_code> address_book::find(interrupt& ctl, endpoints& out) {
  out.clear();
  if (!fixed_) {
    auto const now = steady_now();
    if (is_old(now)) begin(now);
    bool const usable = !known_.empty() && !doubted_ && now - known_since_ < stale_lifetime;
    if (!usable && pending_) co_await wait(ctl);
    // Those that are in doubt are better than none.
    if (ctl.why() == interruption::timeout && !known_.empty()) ctl.reset();
  }
  if (ctl.fired() || closed_) co_return asio::error::operation_aborted;
  if (known_.empty()) co_return failed_ ? failed_ : asio::error::host_not_found;
  out = known_;
  co_return error_code{};
}

}  // namespace cooldown::net
