#include "cooldown/net/client_watch.hpp"

#include <cerrno>

#include <sys/socket.h>

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

}  // namespace

bool peer_gone(tcp_socket& socket) {
  return peek(socket) == peeked::end;
}
bool idle_and_alive(tcp_socket& socket) {
  return peek(socket) == peeked::nothing;
}

struct client_watch::shared {
  tcp_socket* client;  // null when the session is over
  interrupt* to;
  bool armed = false;

  static void wait(const std::shared_ptr<shared>& self) {
    self->armed = true;
    self->client->async_wait(tcp_socket::wait_read, [self](error_code ec) {
      self->armed = false;
      if (!self->client || ec == asio::error::operation_aborted) return;
      switch (peek(*self->client)) {
        case peeked::end:
          self->to->fire(interruption::client_gone);
          break;
        case peeked::nothing:
          wait(self);
          break;  // a spurious wake-up
        case peeked::bytes:
          break;
      }
    });
  }
};

client_watch::client_watch(tcp_socket& client, interrupt& to) : state_(std::make_shared<shared>()) {
  state_->client = &client;
  state_->to = &to;
}

client_watch::~client_watch() {
  state_->client = nullptr;
}

void client_watch::arm() {
  if (!state_->armed) shared::wait(state_);
}

}  // namespace cooldown::net
