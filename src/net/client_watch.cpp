#include "cooldown/net/client_watch.hpp"

#include <cerrno>

#include <sys/socket.h>

#include <poll.h>

#include "cooldown/net/client_tls.hpp"

namespace cooldown::net {
namespace {

constexpr duration looks_behind_bytes = std::chrono::milliseconds{400};

enum class peeked { nothing, bytes, end };

peeked peek(tcp_socket& socket) {
  char byte = 0;
  ssize_t n = 0;
  do n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n > 0) return peeked::bytes;
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? peeked::nothing : peeked::end;
}

/// Decrypts what has come: a goodbye and the end of the stream look the same from outside. The bytes stay in the
/// stream.
peeked peek(tls_stream& stream, tcp_socket::wait_type& until) {
  until = tcp_socket::wait_read;
  switch (stream.peek()) {
    case tls_stream::state::done:
      return peeked::bytes;
    case tls_stream::state::needs_write:
      until = tcp_socket::wait_write;
      return peeked::nothing;
    case tls_stream::state::needs_read:
      return peeked::nothing;
    case tls_stream::state::ended:
    case tls_stream::state::failed:
      break;
  }
  return peeked::end;
}

/// Whether the peer has ended or reset the connection, however much it left to be read.
bool hung_up(tcp_socket& socket) {
  pollfd p{socket.native_handle(), POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0;
}

}  // namespace

bool idle_and_alive(tcp_socket& socket) {
  return peek(socket) == peeked::nothing;
}

/// What the completions of its waits hold on to.
struct client_watch::shared {
  client_watch* owner;  // null when the session is over
  bool armed = false;
  char next = 0;  // the first byte of the next request, which stays in the socket too

  /// Looks at what comes next without taking it. A read that peeks, since a wait for readiness would cost an epoll_ctl
  /// and leave the looking to do.
  static void look(const std::shared_ptr<shared>& self) {
    self->armed = true;
    self->owner->to_.client().async_receive(asio::buffer(&self->next, 1), tcp_socket::message_peek,
                                            [self](error_code ec, std::size_t) {
                                              self->armed = false;
                                              if (!self->owner) return;
                                              // A deadline of the session's own waits ends ours as well.
                                              if (ec == asio::error::operation_aborted) return look(self);
                                              self->owner->seen(static_cast<bool>(ec));
                                            });
  }

  static void wait_tls(const std::shared_ptr<shared>& self, tcp_socket::wait_type until) {
    self->armed = true;
    self->owner->to_.client().async_wait(until, [self](error_code ec) {
      self->armed = false;
      if (!self->owner) return;
      auto again = tcp_socket::wait_read;
      if (ec == asio::error::operation_aborted) return wait_tls(self, again);
      // Whoever reads sees an end by itself; what it waits for must not be taken off the socket.
      if (self->owner->tls_->being_read) return;
      auto const what = peek(*self->owner->tls_, again);
      if (what == peeked::nothing) return wait_tls(self, again);  // a spurious wake-up
      self->owner->seen(what == peeked::end);
    });
  }
};

client_watch::client_watch(tls_stream* tls, deadline_sweep& sweep, interrupt& to)
    : entry(sweep), tls_(tls), to_(to), state_(std::make_shared<shared>(shared{this})) {}

client_watch::~client_watch() {
  state_->owner = nullptr;
}

void client_watch::drop_tls() {
  tls_ = nullptr;
}

void client_watch::arm() {
  clear();
  if (state_->armed) return;
  if (tls_) {
    shared::wait_tls(state_, tcp_socket::wait_read);
  } else {
    shared::look(state_);
  }
}

/// The end, or bytes. Nothing wakes us for what comes behind those, since it cannot be read before them.
void client_watch::seen(bool gone) {
  if (gone) {
    to_.fire(interruption::client_gone);
  } else {
    set(looks_behind_bytes);
  }
}

void client_watch::expired() {
  seen(hung_up(to_.client()));
}

}  // namespace cooldown::net
