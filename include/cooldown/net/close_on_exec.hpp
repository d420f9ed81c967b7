// Sockets must not be inherited by the command of `run`: Asio opens them without SOCK_CLOEXEC.
#pragma once

#include <fcntl.h>

namespace cooldown::net {

template <class Socket>
void close_on_exec(Socket& socket) {
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
}

}  // namespace cooldown::net
