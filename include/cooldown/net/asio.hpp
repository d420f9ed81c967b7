// Our names for Asio's types. Everything runs on one thread with one io_context, so the executor is a concrete type.
// Clocks are read here, and nowhere below src/net.
#pragma once

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "cooldown/time.hpp"

namespace cooldown::net {

namespace asio = boost::asio;
using boost::system::error_code;

/// Concrete rather than any_io_executor: type erasure costs an allocation and two virtual calls per operation.
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;

/// The kernel times Asio's waits by CLOCK_MONOTONIC, which stops while the machine is suspended. So a timer checks the
/// clock once a second, and fires at most that late after the machine resumes.
struct wait_in_steps {
  static boot_clock::duration to_wait_duration(const boot_clock::duration& d) {
    return std::min<boot_clock::duration>(d, std::chrono::seconds{1});
  }
  static boot_clock::duration to_wait_duration(const boot_clock::time_point& t) {
    return to_wait_duration(t - boot_clock::now());
  }
};
using steady_timer = asio::basic_waitable_timer<boot_clock, wait_in_steps, executor>;

template <class T>
using task = asio::awaitable<T, executor>;

/// The completion token: results as tuples, never exceptions.
constexpr auto tok = asio::as_tuple(asio::use_awaitable_t<executor>{});

inline time_point steady_now() {
  return boot_clock::now();
}
inline wall_time wall_now() {
  return std::chrono::system_clock::now();
}

}  // namespace cooldown::net
