// The one place that names Asio's types for us: one thread, one io_context, concrete executors.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "cooldown/core/time.hpp"

namespace cooldown::net {

namespace asio = boost::asio;
using boost::system::error_code;

/// Concrete rather than any_io_executor: type erasure costs an allocation and two virtual calls per operation.
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using steady_timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, executor>;

template <class T>
using task = asio::awaitable<T, executor>;

/// The completion token: results as tuples, never exceptions.
constexpr auto tok = asio::as_tuple(asio::use_awaitable_t<executor>{});

inline time_point steady_now() {
  return std::chrono::steady_clock::now();
}
inline wall_time wall_now() {
  return std::chrono::system_clock::now();
}

}  // namespace cooldown::net
