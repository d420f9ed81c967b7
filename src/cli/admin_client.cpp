#include "admin_client.hpp"

#include <chrono>
#include <stdexcept>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "cooldown/net/asio.hpp"

namespace cooldown::cli {
namespace {

namespace json = boost::json;
namespace http = boost::beast::http;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::seconds patience{5};
constexpr auto not_an_admin_port = "that is not an admin port (admin.port of the configuration, or --admin, names it)";

/// The state of the request, in one place, so that it can be abandoned at any moment.
struct question {
  explicit question(asio::io_context& io) : names(io.get_executor()), socket(io.get_executor()) {}
  enum class step { look_up, connect, ask, answered } at = step::look_up;
  net::error_code failed;
  asio::ip::basic_resolver<tcp, net::executor> names;
  net::tcp_socket socket;
  http::request<http::empty_body> request{http::verb::get, "/status", 11};
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> answer;
};

std::string authority(const admin_address& at) {
  return at.host.find(':') == std::string::npos ? at.host + ':' + at.port : '[' + at.host + "]:" + at.port;
}

net::task<void> ask(question& q, std::string host, std::string port) {
  auto [unknown, found] = co_await q.names.async_resolve(host, port, net::tok);
  q.failed = unknown;
  if (q.failed) co_return;
  q.at = question::step::connect;
  auto [refused, peer] = co_await asio::async_connect(q.socket, found, net::tok);
  q.failed = refused;
  if (q.failed) co_return;
  q.at = question::step::ask;
  auto [unsent, written] = co_await http::async_write(q.socket, q.request, net::tok);
  q.failed = unsent;
  if (q.failed) co_return;
  auto [unread, read] = co_await http::async_read(q.socket, q.buffer, q.answer, net::tok);
  q.failed = unread;
  if (!q.failed) q.at = question::step::answered;
}

/// A sentence that says why there is no answer.
std::string explain(const question& q, bool timed_out, const admin_address& at) {
  auto const url = "http://" + authority(at);
  if (q.at == question::step::look_up)
    return fmt::format("cannot look up '{}': {}", at.host, timed_out ? "timed out" : q.failed.message());
  if (q.at == question::step::connect && q.failed == asio::error::connection_refused)
    return fmt::format("nothing listens on {}: is cooldown-proxy running?", url);
  if (q.at == question::step::connect)
    return fmt::format("cannot connect to {}: {}", url, timed_out ? "timed out" : q.failed.message());
  // The first byte of a TLS alert.
  if (q.buffer.size() > 0 && *static_cast<const unsigned char*>(q.buffer.cdata().data()) == 0x15)
    return fmt::format("{} speaks TLS: {}", url, not_an_admin_port);
  if (timed_out)
    return fmt::format("{} accepted the connection and did not answer within {} s: {}", url, patience.count(),
                       "the program there hangs, or it is not cooldown-proxy");
  return fmt::format("{} does not answer in HTTP ({}): {}", url, q.failed.message(), not_an_admin_port);
}

std::string explain(const http::response<http::string_body>& answer, const admin_address& at) {
  auto const url = "http://" + authority(at);
  auto const status = answer.result_int();
  if (status == 401 && at.token.empty())
    return fmt::format("{} wants admin.token: name the proxy's configuration with --config", url);
  if (status == 401)
    return fmt::format("{} does not accept the admin.token of this configuration: name the proxy's own with --config",
                       url);
  if (answer.body().find("This port speaks TLS") != std::string::npos)
    return fmt::format("{} speaks TLS: {}", url, not_an_admin_port);
  return fmt::format("{} answered GET /status with status {}: {}", url, status, not_an_admin_port);
}

}  // namespace

json::object fetch_status(const admin_address& at) {
  asio::io_context io;
  question q(io);
  q.answer.body_limit(64 * 1024 * 1024);
  q.request.set(http::field::host, authority(at));
  q.request.set(http::field::connection, "close");
  if (!at.token.empty()) q.request.set(http::field::authorization, "Bearer " + at.token);
  asio::co_spawn(io.get_executor(), ask(q, at.host, at.port), asio::detached);
  io.run_for(patience);
  if (q.at != question::step::answered) throw std::runtime_error(explain(q, !q.failed, at));
  auto const& answer = q.answer.get();
  if (answer.result_int() != 200) throw std::runtime_error(explain(answer, at));
  boost::system::error_code bad;
  auto value = json::parse(answer.body(), bad);
  if (bad || !value.is_object() || !value.as_object().contains("schema"))
    throw std::runtime_error(
        fmt::format("what http://{} answers to GET /status is not ours: {}", authority(at), not_an_admin_port));
  return std::move(value.as_object());
}

admin_address read_admin_address(const std::string& url) {
  auto rest = url.starts_with("http://") ? url.substr(7) : url;
  while (rest.ends_with('/')) rest.pop_back();
  auto const colon = rest.rfind(':');
  if (colon == std::string::npos || colon + 1 == rest.size() || rest.find('/') != std::string::npos)
    throw std::runtime_error("--admin: expected http://HOST:PORT");
  auto host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = host, .port = rest.substr(colon + 1), .token = {}};
}

}  // namespace cooldown::cli
