#include "cooldown/net/probe.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "cooldown/exchange/body_room.hpp"
#include "cooldown/net/sending.hpp"
#include "cooldown/net/upstream_head.hpp"
#include "cooldown/net/upstreams.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

constexpr const char* what = "/v1/models";
constexpr std::size_t largest_head = 64 * 1024;

/// The request as a client without a key would send it.
void write_request(request& r, const upstream& to) {
  r.read_under = to.settings;
  r.method = "GET";
  r.target = what;
  r.head.method = r.method;
  r.head.target = r.target;
  r.head.fields.push_back({"Accept", "application/json"});
  if (to.of->speaks() != dialect::anthropic) return;
  r.asks = http::endpoint::message;  // the key goes where Anthropic's own API wants it
  r.head.fields.push_back({"anthropic-version", "2023-06-01"});
}

std::string text_of(const scope_report::budget_report& b) {
  std::string counts = name_of(b.counts);
  std::replace(counts.begin(), counts.end(), '_', ' ');
  return std::to_string(static_cast<std::uint64_t>(b.limit)) + ' ' + counts + " a " + name_of(b.over);
}

void learn(cerebras_limiter& limiter, const http::response_head& head, probed& out) {
  auto const now = steady_now();
  limiter.update_from_headers({.credential = 0, .model = ""}, head.fields, now, wall_now());
  out.dialect = limiter.dialect();
  for (auto const& s : limiter.report(now, 0))
    for (auto const& b : s.budgets)
      if (b.reported) out.limits.push_back(text_of(b));
}

/// The process ends when all have, so that no connection is kept.
task<void> probe(asio::io_context& io, deadline_sweep& sweep, destination& at, probed& out) {
  auto const to = at.upstream_of_now();
  tcp_socket no_client(io);
  interrupt ctl(sweep, no_client);
  auto got = co_await to->provider->pool.acquire(ctl, true, to->of->timeouts.connect);
  if (auto* const failure = std::get_if<connect_failure>(&got)) {
    out.failure = std::move(failure->message);
    co_return;
  }
  auto const connection = std::move(std::get<upstream_pool::connection_ptr>(got));
  body_room bodies;
  request r(bodies);
  write_request(r, *to);
  auto const head_sent = upstream_head(r, *to, "1.1 cooldown-proxy", 0);
  sent_request const sent{head_sent, "", r.method, largest_head, to->of->timeouts.first_byte};
  std::string bytes;
  http::response_head head;
  auto answer = co_await send_and_read_head(*connection, sent, ctl, bytes, head);
  ctl.clear();
  if (answer.kind != head_result::what::ok) {
    bool const silent = answer.kind == head_result::what::timeout;
    out.failure = silent ? "no answer within timeouts.first_byte" : std::move(answer.message);
    co_return;
  }
  out.status = head.status;
  auto const type = http::find_field(head.fields, "content-type");
  out.json = type && icontains(*type, "json");
  learn(at.limiter, head, out);
}

}  // namespace

std::vector<probed> probe_all(const config::settings& settings) {
  asio::io_context io(1);
  deadline_sweep sweep(io);
  upstreams all(io, sweep, std::make_shared<const config::settings>(settings));
  std::vector<probed> found(all.all().size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto& at = *all.all()[i];
    found[i].account = at.name();
    found[i].dialect = at.limiter.dialect();
    asio::co_spawn(io, probe(io, sweep, at, found[i]), asio::detached);
  }
  io.run();
  return found;
}

}  // namespace cooldown::net
