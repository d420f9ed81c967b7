#include "cooldown/net/client_watch.hpp"

#include <cerrno>

#include <sys/socket.h>

#include "cooldown/net/client_tls.hpp"

namespace cooldown::net {
namespace {

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

}  // namespace

bool peer_gone(tcp_socket& socket) {
  return peek(socket) == peeked::end;
}
bool idle_and_alive(tcp_socket& socket) {
  return peek(socket) == peeked::nothing;
}

struct client_watch::shared {
  interrupt* to;  // null when the session is over
  tls_stream* tls;
  bool armed = false;
  char next = 0;  // the first byte of the next request, which stays in the socket too

  /// Looks at what comes next without taking it. A read that peeks, since a wait for readiness would cost an epoll_ctl
  /// and leave the looking to do.
  static void look(const std::shared_ptr<shared>& self) {
    self->armed = true;
    self->to->client().async_receive(asio::buffer(&self->next, 1), tcp_socket::message_peek,
                                     [self](error_code ec, std::size_t) {
                                       self->armed = false;
                                       if (!self->to || !ec || ec == asio::error::operation_aborted) return;
                                       self->to->fire(interruption::client_gone);
                                     });
  }

  static void wait_tls(const std::shared_ptr<shared>& self, tcp_socket::wait_type until) {
    self->armed = true;
    self->to->client().async_wait(until, [self](error_code ec) {
      self->armed = false;
      if (!self->to || ec == asio::error::operation_aborted) return;
      // Whoever reads sees an end by itself; what it waits for must not be taken off the socket.
      if (self->tls->being_read) return;
      auto again = tcp_socket::wait_read;
      switch (peek(*self->tls, again)) {
        case peeked::end:
          self->to->fire(interruption::client_gone);
          break;
        case peeked::nothing:
          wait_tls(self, again);
          break;  // a spurious wake-up
        case peeked::bytes:
          break;
      }
    });
  }
};

client_watch::client_watch(tls_stream* tls, interrupt& to) : state_(std::make_shared<shared>()) {
  state_->tls = tls;
  state_->to = &to;
}

client_watch::~client_watch() {
  state_->to = nullptr;
}

void client_watch::drop_tls() {
  state_->tls = nullptr;
}

void client_watch::arm() {
  if (state_->armed) return;
  if (state_->tls) {
    shared::wait_tls(state_, tcp_socket::wait_read);
  } else {
    shared::look(state_);
  }
}

}  // namespace cooldown::net
