#include "status_view.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "exit_codes.hpp"

namespace cooldown::cli {
namespace {

namespace json = boost::json;
namespace beast = boost::beast;

constexpr std::size_t most_recent = 10;
constexpr std::size_t most_waiting = 10;

double number(const json::object& o, std::string_view name) {
  auto const* const v = o.if_contains(name);
  return v && v->is_number() ? v->to_number<double>() : 0;
}

/// What a peer sent may hold anything; a terminal must not obey it.
std::string text(const json::object& o, std::string_view name) {
  auto const* const v = o.if_contains(name);
  std::string out(v && v->is_string() ? std::string_view(v->as_string()) : std::string_view());
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

std::string grouped(double n) {
  auto digits = fmt::format("{:.0f}", std::max(0.0, n));
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::string seconds(double s) {
  if (s < 1) return fmt::format("{:.0f} ms", s * 1000);
  if (s < 120) return fmt::format("{:.1f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  return fmt::format("{:.1f} h", s / 3600);
}

class painter {
 public:
  explicit painter(bool on) : on_(on) {}
  std::string operator()(const char* code, const std::string& s) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, s) : s;
  }

 private:
  bool on_;
};

std::string reason(const json::object& o) {
  auto const* const held = o.if_contains("held_by");
  return held && held->is_object() ? text(held->as_object(), "text") : std::string();
}

void append_scope(std::string& out, const json::object& s, const painter& paint) {
  json::object const* minute = nullptr;
  for (auto const& b : s.at("budgets").as_array())
    if (b.at("resource") == "tokens" && b.at("window") == "minute") minute = &b.as_object();
  std::string bar(20, '.');
  std::string left = "not known yet";
  if (minute) {
    auto const limit = std::max(1.0, number(*minute, "limit"));
    auto const share = std::clamp(number(*minute, "remaining") / limit, 0.0, 1.0);
    std::fill_n(bar.begin(), static_cast<std::ptrdiff_t>(std::lround(share * 20)), '#');
    left = grouped(number(*minute, "remaining")) + " of " + grouped(limit) + " tokens";
  }
  auto const paused = s.contains("paused") && s.at("paused").is_bool() && s.at("paused").as_bool();
  out += fmt::format("{:<28} [{}] {:<28} {:>5} waiting {:>4} in flight  {}\n", text(s, "model").substr(0, 28),
                     paint("32", bar), left, number(s, "queued"), number(s, "in_flight"),
                     paint("33", paused ? "paused" : reason(s)));
}

json::object fetch_status(const admin_address& at) {
  using tcp = boost::asio::ip::tcp;
  boost::asio::io_context io;
  tcp::socket socket(io);
  boost::asio::connect(socket, tcp::resolver(io).resolve(at.host, at.port));
  timeval const patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  beast::http::request<beast::http::empty_body> ask(beast::http::verb::get, "/status", 11);
  ask.set(beast::http::field::host,
          at.host.find(':') == std::string::npos ? at.host + ':' + at.port : '[' + at.host + "]:" + at.port);
  ask.set(beast::http::field::connection, "close");
  if (!at.token.empty()) ask.set(beast::http::field::authorization, "Bearer " + at.token);
  beast::http::write(socket, ask);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> answer;
  answer.body_limit(64 * 1024 * 1024);
  beast::http::read(socket, buffer, answer);
  if (answer.get().result_int() == 401)
    throw std::runtime_error("it wants admin.token: name its configuration with --config");
  if (answer.get().result_int() != 200)
    throw std::runtime_error(fmt::format("it answered with status {}", answer.get().result_int()));
  auto value = json::parse(answer.get().body());
  if (!value.is_object() || !value.as_object().contains("schema"))
    throw std::runtime_error("that is no cooldown-proxy");
  return std::move(value.as_object());
}

}  // namespace

std::string render_status(const json::object& status, bool colours, std::size_t columns) {
  painter const paint(colours);
  auto const& breaker = status.at("circuit_breaker").as_object();
  auto const state = text(breaker, "state");
  auto const& upstream = status.at("upstream").as_object();
  std::string out = fmt::format(
      "{}  {} waiting, {} at the provider, circuit breaker {}, {} provider failures, {} 429s kept from clients, up "
      "{}\n",
      paint("1", "cooldown-proxy " + text(status, "version")), number(status.at("queue").as_object(), "length"),
      number(status, "in_flight"), paint(state == "CLOSED" ? "32" : "31", state), number(upstream, "failures"),
      number(upstream, "refusals"), seconds(number(status, "uptime_seconds")));
  auto const& scopes = status.at("scopes").as_array();
  if (scopes.empty()) out += "\nNo request has come yet.\n";
  if (!scopes.empty()) out += '\n';
  for (auto const& s : scopes) append_scope(out, s.as_object(), paint);
  std::size_t shown = 0;
  for (auto const& s : scopes) {
    for (auto const& t : s.at("waiting").as_array()) {
      if (shown == most_waiting) break;
      if (shown++ == 0) out += paint("1", "\nNext to go") + '\n';
      auto const& o = t.as_object();
      out += fmt::format("{:>4}  {:<28} {:>9} tokens  waited {:>8}  goes in {:>8}\n", number(o, "position"),
                         text(s.as_object(), "model").substr(0, 28), grouped(number(o, "tokens")),
                         seconds(number(o, "waited_seconds")), seconds(number(o, "expected_in_seconds")));
    }
  }
  auto const& recent = status.at("recent").as_array();
  if (!recent.empty()) out += paint("1", "\nLast requests") + '\n';
  for (std::size_t i = 0; i < std::min(most_recent, recent.size()); ++i) {
    auto const& r = recent[recent.size() - 1 - i].as_object();
    auto const code = static_cast<int>(number(r, "status"));
    auto const why = text(r, "reason").empty() ? reason(r) : text(r, "reason");
    out += fmt::format("{}  {:<28} waited {:>8}  in all {:>8}  {:>9} tokens  {}\n",
                       paint(code >= 200 && code < 400 ? "32" : "31", code ? std::to_string(code) : "---"),
                       text(r, "model").substr(0, 28), seconds(number(r, "waited_seconds")),
                       seconds(number(r, "total_seconds")), grouped(number(r, "tokens")), why);
  }
  if (colours || columns == 0) return out;
  std::string cut;
  for (std::size_t from = 0; from < out.size();) {
    auto const end = std::min(out.find('\n', from), out.size());
    cut += out.substr(from, std::min(columns, end - from)) + '\n';
    from = end + 1;
  }
  return cut;
}

admin_address read_admin_address(const std::string& url) {
  auto rest = url.starts_with("http://") ? url.substr(7) : url;
  while (rest.ends_with('/')) rest.pop_back();
  auto const colon = rest.rfind(':');
  if (colon == std::string::npos || colon + 1 == rest.size())
    throw std::runtime_error("--admin: expected http://HOST:PORT");
  auto host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = host, .port = rest.substr(colon + 1), .token = {}};
}

int show_status(const admin_address& at, bool watch) {
  bool const terminal = isatty(STDOUT_FILENO) == 1;
  auto const* const no_color = std::getenv("NO_COLOR");
  bool const colours = terminal && (!no_color || !*no_color);
  for (;;) {
    try {
      winsize size{};
      std::size_t const columns = terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0U;
      auto const out = render_status(fetch_status(at), colours, columns);
      if (watch && terminal) std::cout << "\x1b[H\x1b[2J";
      std::cout << out << std::flush;
    } catch (const std::exception& e) {
      std::cerr << "cooldown-proxy status: http://" << at.host << ':' << at.port << ": " << e.what() << '\n';
      if (!watch) return unavailable;
    }
    if (!watch) return ok;
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
}

}  // namespace cooldown::cli
