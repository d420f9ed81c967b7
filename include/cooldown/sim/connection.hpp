// One accepted connection, plain or TLS: reads requests, writes bytes, and misbehaves on demand.
#pragma once

#include <memory>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace cooldown::sim {

namespace asio = boost::asio;

using http_request = boost::beast::http::request<boost::beast::http::string_body>;

enum class read_result : std::uint8_t { request, closed, malformed, too_large };

class connection {
 public:
  connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  virtual ~connection() = default;

  // The TLS handshake; true at once without TLS.
  virtual asio::awaitable<bool> handshake() = 0;

  // Reads the next request, up to 64 MiB of body, into `request`; answers Expect: 100-continue.
  virtual asio::awaitable<read_result> read(http_request& request) = 0;

  // Writes all of `bytes`, which must live until then. False: the peer has disconnected.
  virtual asio::awaitable<bool> write(std::string_view bytes) = 0;

  // Closes cleanly: everything written arrives.
  virtual asio::awaitable<void> close() = 0;

  // Closes with RST.
  void reset();

  // Whether the peer has closed the connection or its sending side; both count as disconnected.
  bool peer_gone();

 protected:
  virtual asio::ip::tcp::socket& socket() = 0;
};

std::unique_ptr<connection> make_connection(asio::ip::tcp::socket socket);
std::unique_ptr<connection> make_connection(asio::ip::tcp::socket socket, asio::ssl::context& tls);

}  // namespace cooldown::sim
