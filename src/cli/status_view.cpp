#include "status_view.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <sys/ioctl.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cooldown/http/json_text.hpp"

#include "exit_codes.hpp"
#include "numbers.hpp"
#include "terminal.hpp"

namespace cooldown::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t most_recent = 10;
constexpr std::size_t most_waiting = 10;
constexpr std::size_t model_width = 28;
constexpr std::size_t client_width = 20;

double number(const json::object& o, std::string_view name) {
  auto const* const v = o.if_contains(name);
  return v && v->is_number() ? v->to_number<double>() : 0;
}

/// Escapes text that came from peers.
std::string text(const json::object& o, std::string_view name) {
  auto const* const v = o.if_contains(name);
  return http::visible(v && v->is_string() ? std::string_view(v->as_string()) : std::string_view());
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

/// A member that is an object; empty without one.
json::object section(const json::object& o, std::string_view name) {
  auto const* const found = o.if_contains(name);
  return found && found->is_object() ? found->as_object() : json::object();
}

std::string reason(const json::object& o) {
  auto const* const held = o.if_contains("held_by");
  return held && held->is_object() ? text(held->as_object(), "text") : std::string();
}

/// "0 of 60 requests/min": the binding limit.
std::string limit_text(const json::object& b) {
  auto unit = text(b, "resource");
  std::replace(unit.begin(), unit.end(), '_', ' ');
  auto const window = text(b, "window");
  return fmt::format("{} of {} {}/{}", grouped(std::floor(number(b, "remaining"))), grouped(number(b, "limit")), unit,
                     window == "minute" ? "min" : window);
}

/// Whether the provider fails, why, and when it is tried again. Empty: it does not fail.
std::string trouble(const json::object& status) {
  auto const& breaker = status.at("circuit_breaker").as_object();
  auto const& upstream = status.at("upstream").as_object();
  auto const recent = section(upstream, "recent");
  bool const closed = text(breaker, "state") == "CLOSED";
  if (closed && number(recent, "failures") == 0) return {};
  auto out = fmt::format("The provider failed in {} of {} attempts in the last {:.0f} minutes",
                         grouped(number(recent, "failures")), grouped(number(recent, "attempts")),
                         number(recent, "seconds") / 60);
  if (auto const last = section(upstream, "last_failure"); !last.empty())
    out += fmt::format("; last: {}, {} ago", text(last, "cause"), seconds_text(number(last, "seconds_ago")));
  if (!closed) {
    auto const* const retry = breaker.if_contains("retry_in_seconds");
    out += retry ? fmt::format(". The circuit breaker is open; next attempt in {}",
                               seconds_text(number(breaker, "retry_in_seconds")))
                 : std::string(". The circuit breaker is testing it");
  }
  return out + ".";
}

void append_scope(std::string& out, const json::object& s, const painter& paint) {
  std::string bar(20, '.');
  std::string left = "no limit is known yet";
  if (auto const* const binding = s.if_contains("binding"); binding && binding->is_object()) {
    auto const& b = binding->as_object();
    auto const share = std::clamp(std::floor(number(b, "remaining")) / std::max(1.0, number(b, "limit")), 0.0, 1.0);
    std::fill_n(bar.begin(), static_cast<std::ptrdiff_t>(std::lround(share * 20)), '#');
    left = limit_text(b);
  }
  auto const paused = s.contains("paused") && s.at("paused").is_bool() && s.at("paused").as_bool();
  out += fmt::format("{:<28} [{}] {:<30} {:>5} waiting {:>4} in flight  {}\n", fit(text(s, "model"), model_width, 1),
                     paint("32", bar), left, number(s, "queued"), number(s, "in_flight"),
                     paint("33", paused ? "paused" : reason(s)));
}

struct waiting_line {
  std::string model;
  const json::object* ticket;
  std::optional<double> expected;  // nullopt: nobody knows
};

/// Waiting requests of all models, by the expected time of sending; those without one come last.
void append_waiting(std::string& out, const json::array& scopes, const painter& paint) {
  std::vector<waiting_line> lines;
  for (auto const& s : scopes)
    for (auto const& t : s.at("waiting").as_array()) {
      auto const* const expected = t.as_object().if_contains("expected_in_seconds");
      auto const at = expected && expected->is_number() ? std::optional(expected->to_number<double>()) : std::nullopt;
      lines.push_back({fit(text(s.as_object(), "model"), model_width, 1), &t.as_object(), at});
    }
  std::stable_sort(lines.begin(), lines.end(), [](const waiting_line& a, const waiting_line& b) {
    return a.expected && (!b.expected || *a.expected < *b.expected);
  });
  if (!lines.empty()) out += paint("1", "\nNext to be sent") + '\n';
  for (std::size_t i = 0; i < std::min(most_waiting, lines.size()); ++i) {
    auto const& l = lines[i];
    auto const when =
        l.expected ? fmt::format("in {:>8}", seconds_text(*l.expected)) : "when " + text(*l.ticket, "sent_when");
    out += fmt::format("{:>4}  {:<28} {:<20} {:>9} tokens  waited {:>8}  sent {}\n", number(*l.ticket, "position"),
                       l.model, fit(text(*l.ticket, "client_name"), client_width, 1),
                       grouped(number(*l.ticket, "tokens")), seconds_text(number(*l.ticket, "waited_seconds")), when);
  }
  if (lines.size() > most_waiting) out += fmt::format("      and {} more\n", lines.size() - most_waiting);
}

}  // namespace

std::string render_status(const json::object& status, bool colours) {
  painter const paint(colours);
  auto const& breaker = status.at("circuit_breaker").as_object();
  auto const state = text(breaker, "state");
  std::string out = fmt::format(
      "{}  {} waiting, {} at the provider, circuit breaker {}, {} 429s absorbed, up {}\n",
      paint("1", "cooldown-proxy " + text(status, "version")), number(status.at("queue").as_object(), "length"),
      number(status, "in_flight"), paint(state == "CLOSED" ? "32" : "31", state),
      number(status.at("upstream").as_object(), "refusals"), seconds_text(number(status, "uptime_seconds")));
  if (auto const wrong = trouble(status); !wrong.empty()) out += paint("31", wrong) + '\n';
  auto const& scopes = status.at("scopes").as_array();
  if (scopes.empty()) out += "\nNo request has come yet. Point a client at " + text(status, "url") + "/v1\n";
  if (!scopes.empty()) out += '\n';
  for (auto const& s : scopes) append_scope(out, s.as_object(), paint);
  append_waiting(out, scopes, paint);
  auto const& recent = status.at("recent").as_array();
  if (!recent.empty()) out += paint("1", "\nLast requests") + '\n';
  for (std::size_t i = 0; i < std::min(most_recent, recent.size()); ++i) {
    auto const& r = recent[recent.size() - 1 - i].as_object();
    auto const code = static_cast<int>(number(r, "status"));
    auto const why = text(r, "reason").empty() ? reason(r) : text(r, "reason");
    out += fmt::format("{}  {:<28} waited {:>8}  total {:>8}  {:>9} tokens  {}\n",
                       paint(code >= 200 && code < 400 ? "32" : "31", code ? std::to_string(code) : "---"),
                       fit(text(r, "model"), model_width, 1), seconds_text(number(r, "waited_seconds")),
                       seconds_text(number(r, "total_seconds")), grouped(number(r, "tokens")), why);
  }
  return out;
}

int show_status(const admin_address& at, bool watch, bool as_json) {
  bool const terminal = isatty(STDOUT_FILENO) == 1;
  auto const* const no_color = std::getenv("NO_COLOR");
  bool const colours = terminal && (!no_color || !*no_color);
  std::string complaint;
  for (;;) {
    std::string shown;
    try {
      auto const status = fetch_status(at);
      winsize size{};
      bool const known = terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
      // A single output can be scrolled; one that is redrawn every second cannot.
      std::size_t const rows = watch && size.ws_row > 1 ? size.ws_row - 1U : 0U;
      shown = as_json ? http::visible(json::serialize(status)) + '\n' : render_status(status, colours);
      if (known && !as_json) shown = fit(shown, size.ws_col, rows);
      complaint.clear();
    } catch (const std::exception& e) {
      auto const before = std::exchange(complaint, "cooldown-proxy status: " + http::visible(e.what()) + '\n');
      // With --watch on a terminal the message replaces the display; elsewhere it is printed once.
      if (watch && terminal) {
        shown = complaint;
      } else if (complaint != before) {
        std::cerr << complaint;
      }
      if (!watch) return unavailable;
    }
    if (watch && terminal && !as_json) std::cout << "\x1b[H\x1b[2J";
    std::cout << shown << std::flush;
    if (!watch) return ok;
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
}

}  // namespace cooldown::cli
