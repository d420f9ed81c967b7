#include "cooldown/sim/connection.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <poll.h>

namespace cooldown::sim {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t max_body = 64U << 20U;
constexpr std::uint32_t max_head = 64U << 10U;
constexpr std::size_t read_buffer = 16U << 10U;
constexpr std::size_t linger_bytes = 1U << 20U;
constexpr auto linger_time = std::chrono::seconds{2};
constexpr std::string_view continue_head = "HTTP/1.1 100 Continue\r\n\r\n";

read_result classify(const beast::error_code& error) {
  if (error == http::error::body_limit) return read_result::too_large;
  const bool is_protocol = error.category() == http::make_error_code(http::error::bad_method).category();
  const bool is_cut = error == http::error::end_of_stream || error == http::error::partial_message;
  return is_protocol && !is_cut ? read_result::malformed : read_result::closed;
}

template <class Stream>
class stream_connection final : public connection {
 public:
  explicit stream_connection(Stream stream) : stream_(std::move(stream)) { buffer_.reserve(read_buffer); }

  asio::awaitable<bool> handshake() override {
    if constexpr (is_tls) {
      const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, as_result);
      co_return !error;
    }
    co_return true;
  }

  asio::awaitable<read_result> read(http_request& request) override {
    http::request_parser<http::string_body> parser;
    parser.body_limit(max_body);
    parser.header_limit(max_head);
    const auto [head_error, head_size] = co_await http::async_read_header(stream_, buffer_, parser, as_result);
    if (head_error) co_return classify(head_error);
    const auto expect = parser.get()[http::field::expect];
    if (!parser.is_done() && beast::iequals(expect, "100-continue")) {
      const bool sent = co_await write(continue_head);
      if (!sent) co_return read_result::closed;
    }
    const auto [error, size] = co_await http::async_read(stream_, buffer_, parser, as_result);
    if (error) co_return classify(error);
    request = parser.release();
    co_return read_result::request;
  }

  asio::awaitable<bool> write(std::string_view bytes) override {
    const auto data = asio::buffer(bytes.data(), bytes.size());
    const auto [error, size] = co_await asio::async_write(stream_, data, as_result);
    co_return !error;
  }

  // A socket closed with unread bytes sends RST, which may eat the answer: so read on for a while.
  asio::awaitable<void> close() override {
    using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
    asio::steady_timer limit{socket().get_executor(), linger_time};
    co_await (finish() || limit.async_wait(as_result));
    beast::error_code ignored;
    socket().close(ignored);
  }

 protected:
  tcp::socket& socket() override { return lowest_layer(); }

 private:
  static constexpr bool is_tls = !std::is_same_v<Stream, tcp::socket>;

  tcp::socket& lowest_layer() {
    if constexpr (is_tls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  asio::awaitable<void> finish() {
    if constexpr (is_tls) {
      co_await stream_.async_shutdown(as_result);
    }
    beast::error_code ignored;
    socket().shutdown(tcp::socket::shutdown_send, ignored);
    std::size_t drained = 0;
    while (drained < linger_bytes) {
      buffer_.clear();
      const auto [error, size] = co_await socket().async_read_some(buffer_.prepare(read_buffer), as_result);
      if (error) break;
      drained += size;
    }
  }

  Stream stream_;
  beast::flat_buffer buffer_;
};

}  // namespace

void connection::reset() {
  beast::error_code ignored;
  socket().set_option(asio::socket_base::linger(true, 0), ignored);
  socket().close(ignored);
}

bool connection::peer_gone() {
  if (!socket().is_open()) return true;
  // Unlike a read, this sees the end behind bytes that wait unread, and works beneath TLS.
  pollfd state{socket().native_handle(), POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

std::unique_ptr<connection> make_connection(tcp::socket socket) {
  return std::make_unique<stream_connection<tcp::socket>>(std::move(socket));
}

std::unique_ptr<connection> make_connection(tcp::socket socket, asio::ssl::context& tls) {
  using tls_stream = asio::ssl::stream<tcp::socket>;
  return std::make_unique<stream_connection<tls_stream>>(tls_stream{std::move(socket), tls});
}

}  // namespace cooldown::sim
