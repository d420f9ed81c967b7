#include "cooldown/net/session.hpp"

#include <new>

#include "cooldown/net/admin.hpp"
#include "cooldown/net/exchange.hpp"
#include "cooldown/net/intake.hpp"
#include "cooldown/net/live_page.hpp"
#include "cooldown/net/memory.hpp"

namespace cooldown::net {
namespace {

enum class next : std::uint8_t { here, to_come, none };

/// Prepares the wait for the next request, holding no buffer meanwhile.
next rest(client_connection& c, bool first) {
  c.where = phase::idle;
  c.where_since = steady_now();
  c.ctl.reset();
  c.pace = {};
  c.answering = false;
  if (c.in.size() > 0) return next::here;
  c.in = boost::beast::flat_buffer();
  if (c.port.bodies.has_emptied()) give_memory_back();
  if (c.port.draining && !first) return next::none;
  auto const settings = c.port.settings();
  // A new connection owes its first request as soon as a head is owed.
  c.ctl.set(first ? settings->server.header_timeout : settings->server.idle_timeout);
  return next::to_come;
}

task<bool> next_plain_request(client_connection& c, bool first) {
  auto const known = rest(c, first);
  if (known != next::to_come) co_return known == next::here;
  auto [ec] = co_await c.socket.async_wait(tcp_socket::wait_read, tok);
  c.ctl.clear();
  co_return !ec && !c.ctl.fired();
}

task<bool> next_tls_request(client_connection& c, bool first) {
  auto const known = rest(c, first);
  if (known != next::to_come) co_return known == next::here;
  auto const ec = co_await c.await_tls_bytes();
  c.ctl.clear();
  co_return !ec && !c.ctl.fired();
}

/// Waits for the first byte of the next request. False: the connection is to be closed. No coroutine itself: what TLS
/// needs would be in the frames of plain connections too.
task<bool> next_request(client_connection& c, bool first) {
  return c.tls ? next_tls_request(c, first) : next_plain_request(c, first);
}

/// False: there is nobody to serve. Whoever speaks plain HTTP is told so.
task<bool> shake_hands(client_connection& c) {
  c.ctl.set(c.port.settings()->server.header_timeout);
  auto const ec = co_await c.shake_hands();
  c.ctl.clear();
  if (!ec && !c.ctl.fired()) co_return true;
  ++c.port.telemetry.stats.tls_handshake_failures;
  auto const why = c.ctl.why() == interruption::timeout ? "timed out" : c.tls->reason();
  c.port.telemetry.log.debug("TLS handshake of " + c.peer + ": " + why);
  if (c.ctl.fired() || !c.tls->met_plain_http()) co_return false;
  c.drop_tls();
  refusal_details details;
  details.explanation = "This port speaks TLS: use https://.";
  auto const reply = refusal_reply(c.port.telemetry.stats, reason::bad_request, details);
  auto const failed = co_await send(c, nullptr, reply, true);
  if (!failed) co_await c.linger();
  co_return false;
}

/// Answers a request that was refused while it was read; the client may still be sending. A HEAD whose head was sound
/// is known for one, and gets no body.
task<void> refuse_and_close(client_connection& c, const destination& at, request& r, local_reply reply) {
  // What came of it is not kept while its client takes its time to stop.
  r.sent_for_good();
  scope_status const nothing;
  if (c.serves == role::proxy) append_status_fields(reply.fields, at, nothing);
  c.ctl.reset();
  auto const ec = co_await send(c, &r, reply, true);
  if (!ec) co_await c.linger();
}

/// One request from its first byte to its answer. True: go on with the next.
task<bool> serve_one(client_connection& c, app& shared) {
  c.where = phase::reading;
  c.where_since = steady_now();
  // What is left of the memory is for those who are served already.
  if (!restore_memory_reserve()) throw std::bad_alloc();
  request r(c.port.bodies);
  auto head = co_await read_head(c, r);
  if (head.kind == intake_result::what::closed) co_return false;
  if (head.kind == intake_result::what::refused) {
    co_await refuse_and_close(c, *shared.upstreams.first(), r, std::move(head.refusal));
    co_return false;
  }
  intake_result body;
  if (auto at_hand = take_body(c, r)) {
    body = std::move(*at_hand);
  } else {
    body = co_await read_body(c, r);
  }
  if (body.kind == intake_result::what::closed) co_return false;
  if (body.kind == intake_result::what::refused) {
    co_await refuse_and_close(c, *shared.upstreams.first(), r, std::move(body.refusal));
    co_return false;
  }
  // Whoever waits, or streams, does not hold what the request was read into.
  if (c.in.size() == 0) c.in = boost::beast::flat_buffer();
  c.where = phase::exchanging;
  if (c.serves == role::admin && r.path() == "/events" && r.method == "GET" && r.http11 && !c.port.draining) {
    co_await stream_events(c, shared);
    co_return false;
  }
  if (c.serves == role::admin || r.path() == "/health" || r.last_hop || r.preflight) {
    auto const reply = local_answer(shared, r, c.serves);
    bool const close = !r.keep_alive || c.port.draining;
    auto const ec = co_await send(c, &r, reply, close);
    co_return !ec && !close;
  }
  auto const keep = co_await run_exchange(c, r, shared.upstreams);
  co_return keep;
}

/// An allocation failed. What the request held has been given back, so that there is memory for an answer.
task<void> refuse_for_memory(client_connection& c) {
  c.port.telemetry.log.error("no memory was left for a request of " + c.peer);
  if (c.answering) {
    c.abort();
    co_return;
  }
  c.ctl.reset();
  refusal_details details;
  details.retry_after = std::chrono::seconds{1};
  details.explanation = "No memory was left for it.";
  auto const reply = refusal_reply(c.port.telemetry.stats, reason::local_failure, details);
  auto const failed = co_await send(c, nullptr, reply, true);
  if (!failed) co_await c.linger();
}

}  // namespace

task<void> run_session(tcp_socket socket, app& shared, role serves, std::shared_ptr<tls_server> with) {
  client_connection c(std::move(socket), shared.port, serves, with.get());
  with.reset();  // a connection that lasts needs no more of it than it has by now
  try {
    if (c.tls) {
      auto const ready = co_await shake_hands(c);
      if (!ready) co_return;
    }
    for (bool first = true;; first = false) {
      auto const more = co_await next_request(c, first);
      if (!more) co_return;
      auto const keep = co_await serve_one(c, shared);
      if (!keep) co_return;
    }
  } catch (const std::bad_alloc&) {  // nothing can be awaited here
  }
  co_await refuse_for_memory(c);
}

}  // namespace cooldown::net
