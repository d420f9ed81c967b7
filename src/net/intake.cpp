#include "cooldown/net/intake.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cooldown/exchange/body_pace.hpp"
#include "cooldown/http/chunked.hpp"
#include "cooldown/http/error_body.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/http/patience.hpp"
#include "cooldown/http/priority.hpp"
#include "cooldown/net/gatekeeper.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

using what = intake_result::what;

constexpr unsigned most_empty_lines = 4;
constexpr std::size_t read_size = 16 * 1024;
// A head up to this size is like the rest of a connection: max_connections bounds how many there are.
constexpr std::size_t small_head = 4 * 1024;

intake_result refuse(client_connection& c, reason why, const char* explanation, unsigned status = 0) {
  refusal_details details;
  details.explanation = explanation;
  details.status = status;
  return {.kind = what::refused, .refusal = refusal_reply(c.port.telemetry.stats, why, details)};
}

intake_result refuse(client_connection& c, const denial& no) {
  auto result = refuse(c, no.why, no.explanation);
  // The scheme that would do (RFC 9110 §11.6.1).
  if (no.why == reason::unauthorized)
    http::append_field(result.refusal.fields, "WWW-Authenticate", "Bearer realm=\"cooldown-proxy\"");
  return result;
}

/// A client that would speak WebSocket is told at once to speak HTTP (RFC 9110 §15.5.22). Other offers, such as h2c,
/// are declined by not taking them up, and an Upgrade that Connection does not list is none (§7.8).
bool wants_websocket(const http::request_head& head) {
  return std::any_of(head.fields.begin(), head.fields.end(),
                     [](const header_field& f) {
                       if (!iequals(f.name, "upgrade")) return false;
                       for (std::string_view rest = f.value, protocol; next_token(rest, ',', protocol);)
                         if (iequals(protocol.substr(0, protocol.find('/')), "websocket")) return true;
                       return false;
                     }) &&
         http::is_nominated(head.fields, "upgrade");
}

intake_result refuse_websocket(client_connection& c) {
  constexpr unsigned upgrade_required = 426;
  auto result =
      refuse(c, reason::bad_request, "WebSocket is not supported; send the request over HTTP.", upgrade_required);
  http::append_field(result.refusal.fields, "Upgrade", "HTTP/1.1");
  http::append_field(result.refusal.fields, "Connection", "Upgrade");
  return result;
}

/// Connections times the largest body is no bound on memory; this is one. A client may try again when others are done.
intake_result refuse_for_room(client_connection& c, body_room::answer why) {
  refusal_details details;
  details.retry_after = std::chrono::seconds{1};
  details.explanation =
      why == body_room::answer::full
          ? "The bodies of all requests together take up cerebras.queue.max_bytes; raise it."
          : "The bodies of this client's requests, or of those from its address, take up their share of "
            "cerebras.queue.max_bytes; send fewer at once, or raise it.";
  return {.kind = what::refused, .refusal = refusal_reply(c.port.telemetry.stats, reason::queue_full, details)};
}

/// A request's own head takes nothing from the room for its body.
body_room::bounds bounds_of(const config::settings& settings, std::size_t head = 0) {
  return {settings.cerebras.queue.max_bytes + head, settings.server.max_body_size + head};
}

/// Large heads count like bodies: while they come, for the address that sends them, and then for their client.
body_room::answer count_head(request& r, std::size_t held, std::size_t more, const config::settings& settings) {
  if (held + more <= small_head) return body_room::answer::taken;
  return r.share.grow(more, bounds_of(settings, held + more));
}

std::size_t counted_head(const request& r) {
  return r.head_bytes.size() > small_head ? r.head_bytes.size() : 0;
}

/// A read failed: a client that was too slow is told so, one that left is not.
intake_result ended(client_connection& c, bool something_came) {
  if (c.ctl.why() == interruption::timeout && something_came) {
    c.ctl.reset();
    return refuse(c, reason::request_timeout, "");
  }
  return {.kind = what::closed, .refusal = {}};
}

std::string_view view_of(const boost::beast::flat_buffer& b) {
  return {static_cast<const char*>(b.data().data()), b.size()};
}

/// An OPTIONS that is to go no further (RFC 9110 §7.6.2).
bool is_last_hop(const http::request_head& head) {
  if (head.method != "OPTIONS" || http::is_nominated(head.fields, "max-forwards")) return false;
  return std::any_of(head.fields.begin(), head.fields.end(),
                     [](const header_field& f) { return iequals(f.name, "max-forwards") && parse_u64(f.value) == 0U; });
}

/// Tokens are ours to give; keys can be made up.
body_room::owner owner_of(const client_connection& c, std::string_view token, std::string_view key) {
  if (!token.empty()) {
    auto const known = c.port.credential_of(token);
    return {known, known};
  }
  return {c.port.credential_of(key.empty() ? c.peer : key), c.network};
}

void take_facts(client_connection& c, const config::settings& settings, request& r) {
  auto const& head = r.head;
  r.id = c.port.next_request_id++;
  r.method = head.method;
  r.target = head.target;
  r.http11 = head.http11;
  r.keep_alive = head.keep_alive;
  r.framing = head.body;
  r.expect_continue = head.expect_continue && head.http11;
  if (r.method == "POST") r.asks = http::endpoint_of(r.path());
  r.metered = r.asks != http::endpoint::other;
  r.prefer_wait = http::wait_preference(head.fields);
  r.timeout = http::client_timeout(head.fields);
  r.urgency = http::urgency_of(head.fields);
  auto const credential = http::credential_in(head.fields);
  auto const token = token_of(head, settings);
  r.share.belongs_to(owner_of(c, token, key_of(credential)));
  r.coding = http::coding_of(head.fields);
  if (c.serves != role::proxy) {
    auto const type = head.find("content-type").value_or("");
    r.json_body = istarts_with(type, "application/json") && (type.size() == 16 || type[16] == ';' || type[16] == ' ');
    r.wants_open_metrics =
        head.find("accept").value_or("").find("application/openmetrics-text") != std::string_view::npos;
    return;
  }
  r.cors = cors_fields(head, settings.server);
  r.preflight = is_allowed_preflight(head, settings.server);
  if (r.preflight) r.cors += preflight_fields(head);
  r.key = c.port.credential_of(key_of(credential));
  if (r.metered) c.port.name_key(r.key, key_of(credential));
  r.last_hop = is_last_hop(head);
}

std::optional<denial> denied_to(const request& r, role serves, const config::settings& settings) {
  if (serves == role::admin) return denied_at_admin(r.head, settings.admin);
  return r.preflight ? std::nullopt : denied_at_proxy(r.head, settings);
}

}  // namespace

task<intake_result> read_head(client_connection& c, request& r) {
  auto const settings = c.port.settings();
  http::head_limits limits;
  limits.max_size = settings->server.max_header_size;
  http::head_scanner scanner(limits);
  unsigned empty_lines = 0;
  std::size_t counted = 0;  // bytes of the buffer
  if (c.in.size() > 0) c.ctl.set(settings->server.header_timeout);
  for (;;) {
    // Empty lines before a request are left over from old clients' bodies (RFC 9112 §2.2).
    for (; empty_lines < most_empty_lines && view_of(c.in).starts_with("\r\n"); ++empty_lines) {
      c.in.consume(2);
      scanner = http::head_scanner(limits);
    }
    auto const state = view_of(c.in).empty() ? http::head_scanner::state::need_more : scanner.scan(view_of(c.in));
    if (state == http::head_scanner::state::complete) break;
    if (state == http::head_scanner::state::bad) {
      auto const& e = scanner.error();
      co_return refuse(c, reason::bad_request, e.reason, e.status);
    }
    bool const nothing_yet = c.in.size() == 0;
    if (!nothing_yet && c.serves == role::proxy) {
      if (counted == 0) r.share.belongs_to({c.port.credential_of(c.peer), c.network});
      auto const room = count_head(r, counted, c.in.capacity() - counted, *settings);
      if (room != body_room::answer::taken) co_return refuse_for_room(c, room);
      counted = c.in.capacity();
    }
    error_code ec;
    if (!c.read_at_once(read_size, ec)) ec = co_await c.read_some(read_size);
    if (ec) {
      auto const partial = c.in.size() > 0;
      co_return ended(c, partial);
    }
    if (nothing_yet) c.ctl.set(settings->server.header_timeout);
  }
  c.ctl.clear();
  r.read_under = settings;
  r.head_bytes = view_of(c.in).substr(0, scanner.size());
  if (auto const e = http::parse_request_head(r.head_bytes, r.head))
    co_return refuse(c, reason::bad_request, e->reason, e->status);
  r.share.clear();
  take_facts(c, *settings, r);
  if (http::has_passed(r.head.fields, c.port.pseudonym)) co_return refuse(c, reason::loop_detected, "");
  if (auto const denied = denied_to(r, c.serves, *settings)) co_return refuse(c, *denied);
  if (c.serves == role::proxy && wants_websocket(r.head)) co_return refuse_websocket(c);
  if (c.serves == role::proxy && !settings->cerebras.base_url.contains(r.target))
    co_return refuse(c, reason::bad_request, "A '..' in the path could leave the path of cerebras.base_url.");
  c.in.consume(r.head_bytes.size());
  if (c.in.capacity() > read_size) c.in.shrink_to_fit();
  if (c.serves == role::proxy) {
    auto const room = count_head(r, 0, r.head_bytes.size(), *settings);
    if (room != body_room::answer::taken) co_return refuse_for_room(c, room);
  }
  if (r.framing.how == http::body_framing::kind::length && r.framing.length > settings->server.max_body_size)
    co_return refuse(c, reason::body_too_large, "");
  co_return intake_result{what::ready, {}};
}

namespace {

struct chunks {
  enum class end : std::uint8_t { need_more, done, bad, too_large, no_room } how = end::need_more;
  const char* reason = "";
  body_room::answer room = body_room::answer::taken;
};

/// Moves what was read ahead into the body.
chunks take_chunks(client_connection& c, request& r, http::chunk_decoder& decoder, const config::settings& settings) {
  using end = chunks::end;
  auto input = view_of(c.in);
  std::size_t used = 0;
  for (;;) {
    auto const step = decoder.next(input.substr(used));
    used += step.consumed;
    if (step.what == http::chunk_decoder::state::bad) return {end::bad, decoder.error()};
    if (step.what != http::chunk_decoder::state::data) {
      c.in.consume(used);
      return {step.what == http::chunk_decoder::state::done ? end::done : end::need_more};
    }
    if (r.body.size() + step.data.size() > settings.server.max_body_size) return {end::too_large};
    auto const room = r.share.grow(step.data.size(), bounds_of(settings, counted_head(r)));
    if (room != body_room::answer::taken) return {end::no_room, "", room};
    r.body.append(step.data);
  }
}

task<intake_result> read_chunked(client_connection& c, request& r, const config::settings& settings) {
  using end = chunks::end;
  http::chunk_decoder decoder;
  for (;;) {
    auto const taken = take_chunks(c, r, decoder, settings);
    if (taken.how == end::bad) co_return refuse(c, reason::bad_request, taken.reason);
    if (taken.how == end::too_large) co_return refuse(c, reason::body_too_large, "");
    if (taken.how == end::no_room) co_return refuse_for_room(c, taken.room);
    if (taken.how == end::done) break;
    auto const ec = co_await c.read_some(read_size);
    if (ec) co_return ended(c, true);
    c.ctl.extend(time_for(c.in.size()), settings.server.body_timeout);
  }
  co_return intake_result{what::ready, {}};
}

/// Moves as much of a body of known length as was read ahead. `taken` if there was room for it.
body_room::answer take_counted(client_connection& c, request& r, const config::settings& settings) {
  auto const ahead = std::min<std::size_t>(c.in.size(), r.framing.length);
  auto const room = r.share.grow(ahead, bounds_of(settings, counted_head(r)));
  if (room != body_room::answer::taken) return room;
  r.body.append(view_of(c.in).substr(0, ahead), r.framing.length);
  c.in.consume(ahead);
  return room;
}

task<intake_result> read_counted(client_connection& c, request& r, const config::settings& settings) {
  auto const bounds = bounds_of(settings, counted_head(r));
  auto room_left = take_counted(c, r, settings);
  if (room_left != body_room::answer::taken) co_return refuse_for_room(c, room_left);
  while (r.body.size() < r.framing.length) {
    auto const [to, room] = r.body.prepare(r.framing.length);
    auto const space = asio::buffer(to, std::min<std::size_t>(room, r.framing.length - r.body.size()));
    auto const [ec, n] = co_await c.read_some(space);
    r.body.commit(n);
    if (ec) co_return ended(c, true);
    c.ctl.extend(time_for(n), settings.server.body_timeout);
    room_left = r.share.grow(n, bounds);
    if (room_left != body_room::answer::taken) co_return refuse_for_room(c, room_left);
  }
  co_return intake_result{what::ready, {}};
}

}  // namespace

std::optional<intake_result> take_body(client_connection& c, request& r) {
  bool const chunked = r.framing.how == http::body_framing::kind::chunked;
  bool const counted = r.framing.how == http::body_framing::kind::length && r.framing.length > 0;
  if (!chunked && !counted) return intake_result{what::ready, {}};
  if (chunked || r.framing.length > c.in.size()) return std::nullopt;
  auto const room = take_counted(c, r, *c.port.settings());
  if (room != body_room::answer::taken) return refuse_for_room(c, room);
  return intake_result{what::ready, {}};
}

task<intake_result> read_body(client_connection& c, request& r) {
  auto const settings = c.port.settings();
  // Bytes that are here already make the question moot (RFC 9110 §10.1.1).
  if (r.expect_continue && c.in.size() == 0) {
    auto const ec = co_await c.write("HTTP/1.1 100 Continue\r\n\r\n", settings->server.body_timeout);
    if (ec) co_return intake_result{};
  }
  intake_result result;
  c.ctl.set(settings->server.body_timeout);
  if (r.framing.how == http::body_framing::kind::chunked) {
    result = co_await read_chunked(c, r, *settings);
  } else {
    result = co_await read_counted(c, r, *settings);
  }
  c.ctl.clear();
  co_return result;
}

}  // namespace cooldown::net
