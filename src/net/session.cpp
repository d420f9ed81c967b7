#include "cooldown/net/session.hpp"

#include "cooldown/net/admin.hpp"
#include "cooldown/net/exchange.hpp"
#include "cooldown/net/intake.hpp"

namespace cooldown::net {
namespace {

/// Waits for the first byte of the next request, holding no buffer meanwhile. False: the connection is to be closed.
task<bool> next_request(client_connection& c, bool first) {
  c.where = phase::idle;
  c.ctl.reset();
  if (c.in.size() > 0) co_return true;
  c.in = boost::beast::flat_buffer();
  if (c.shared.draining && !first) co_return false;
  auto const settings = c.shared.settings();
  // A new connection owes its first request as soon as a head is owed.
  c.ctl.set(first ? settings->server.header_timeout : settings->server.idle_timeout);
  auto [ec] = co_await c.socket.async_wait(tcp_socket::wait_read, tok);
  c.ctl.clear();
  co_return !ec && !c.ctl.fired();
}

/// Answers a request that was refused while it was read; the client may still be sending. A HEAD whose head was sound
/// is known for one, and gets no body.
task<void> refuse_and_close(client_connection& c, const request& r, local_reply reply) {
  scope_status const nothing;
  if (c.serves == role::proxy) append_status_fields(reply.fields, c.shared, nothing);
  c.ctl.reset();
  auto const ec = co_await send(c, &r, reply, true);
  if (!ec) co_await c.linger();
}

/// One request from its first byte to its answer. True: go on with the next.
task<bool> serve_one(client_connection& c) {
  c.where = phase::reading;
  request r(c.shared.body_bytes);
  auto head = co_await read_head(c, r);
  if (head.kind == intake_result::what::closed) co_return false;
  if (head.kind == intake_result::what::refused) {
    co_await refuse_and_close(c, r, std::move(head.refusal));
    co_return false;
  }
  auto body = co_await read_body(c, r);
  if (body.kind == intake_result::what::closed) co_return false;
  if (body.kind == intake_result::what::refused) {
    // What came of it is not kept while its client takes its time to stop.
    r.body.clear();
    r.share.clear();
    co_await refuse_and_close(c, r, std::move(body.refusal));
    co_return false;
  }
  c.where = phase::exchanging;
  if (c.serves == role::admin || r.path() == "/health" || r.last_hop) {
    auto const reply = local_answer(c.shared, r, c.serves);
    bool const close = !r.keep_alive || c.shared.draining;
    auto const ec = co_await send(c, &r, reply, close);
    co_return !ec && !close;
  }
  auto const keep = co_await run_exchange(c, r);
  co_return keep;
}

}  // namespace

task<void> run_session(tcp_socket socket, app& shared, role serves) {
  client_connection c(std::move(socket), shared, serves);
  for (bool first = true;; first = false) {
    auto const more = co_await next_request(c, first);
    if (!more) co_return;
    auto const keep = co_await serve_one(c);
    if (!keep) co_return;
  }
}

}  // namespace cooldown::net
