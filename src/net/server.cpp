#include "cooldown/net/server.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include "cooldown/net/close_on_exec.hpp"
#include "cooldown/net/memory.hpp"

namespace cooldown::net {
namespace {

constexpr duration accept_pause = std::chrono::milliseconds{100};
// Between two requests of a client that is at work there may be this much; and a flood drives nobody out faster.
constexpr duration shortest_idleness = std::chrono::seconds{1};
// For listeners, log, timers, look-ups, those at the door, and for the admin port's clients when all other places are
// taken.
constexpr std::size_t own_descriptors = 32;
constexpr std::size_t admin_places = 16;
constexpr unsigned most_greeted_at_once = 256;  // before others get their turn

/// What the user may do about it.
std::string_view hint_for(const error_code& why, unsigned port) {
  constexpr unsigned first_unprivileged = 1024;
  if (why == asio::error::address_in_use && port == 0) return " (no port is free)";
  if (why == asio::error::address_in_use) return " (is another cooldown-proxy running?)";
  if (why == asio::error::access_denied && port < first_unprivileged)
    return " (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; take a higher one)";
  return "";
}

/// As many clients as can each have a connection to the provider with the descriptors that there are.
std::size_t clients_within_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<std::size_t>::max() - admin_places;
  auto const kept = own_descriptors + admin_places;
  return limit.rlim_cur > kept + 2 ? (limit.rlim_cur - kept) / 2 : 1;
}

using acceptors = std::vector<tcp_acceptor>;

error_code listen_at(tcp_acceptor& acceptor, const asio::ip::tcp::endpoint& at) {
  error_code ec;
  acceptor.open(at.protocol(), ec);
  if (ec) return ec;
  close_on_exec(acceptor);
  acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  acceptor.bind(at, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  return ec;
}

/// A name may have an address that this machine has not, such as ::1 where IPv6 is off.
bool is_not_here(const error_code& ec) {
  return ec == asio::error::address_family_not_supported || ec == boost::system::errc::address_not_available;
}

/// Listens on every address of a name: some clients take localhost for 127.0.0.1, others for ::1.
acceptors bind(asio::io_context& io, const std::string& host, std::uint16_t port, const char* key) {
  error_code ec;
  asio::ip::tcp::resolver names(io);
  auto const found = names.resolve(host, std::to_string(port), asio::ip::tcp::resolver::passive, ec);
  if (ec) throw cannot_listen(fmt::format("{}.host: cannot look up '{}': {}", key, host, ec.message()));
  acceptors bound;
  for (auto const& entry : found) {
    auto at = entry.endpoint();
    auto const same = [&](const tcp_acceptor& a) { return a.local_endpoint().address() == at.address(); };
    if (std::any_of(bound.begin(), bound.end(), same)) continue;
    if (!bound.empty()) at.port(bound.front().local_endpoint().port());  // the one that was chosen for port 0
    tcp_acceptor acceptor(io);
    auto const failed = listen_at(acceptor, at);
    if (!failed) bound.push_back(std::move(acceptor));
    if (failed && !is_not_here(failed))
      throw cannot_listen(fmt::format("{}: cannot listen on {} port {}: {}{}", key, host, at.port(), failed.message(),
                                      hint_for(failed, at.port())));
    ec = failed;
  }
  if (bound.empty())
    throw cannot_listen(
        fmt::format("{}: cannot listen on {} port {}: {}{}", key, host, port, ec.message(), hint_for(ec, port)));
  return bound;
}

/// A socket that was bound by somebody else.
acceptors adopt(asio::io_context& io, int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  acceptors adopted;
  adopted.emplace_back(io);
  adopted.front().assign(at.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd);
  return adopted;
}

std::string url_of(const tcp_acceptor& a, bool tls = false) {
  auto const at = a.local_endpoint();
  auto const address = at.address().to_string();
  auto const* const scheme = tls ? "https" : "http";
  return at.address().is_v6() ? fmt::format("{}://[{}]:{}", scheme, address, at.port())
                              : fmt::format("{}://{}:{}", scheme, address, at.port());
}

std::string urls_of(const acceptors& all, bool tls) {
  std::string urls;
  for (auto const& a : all) urls += (urls.empty() ? "" : " and ") + url_of(a, tls);
  return urls;
}

}  // namespace

/// What happens when drain_timeout has passed.
struct server::last_call final : deadline_sweep::entry {
  explicit last_call(app& a) : entry(a.sweep), shared(a) {}
  void expired() override {
    if (!shared.port.connections.empty())
      shared.telemetry.log.warn(
          fmt::format("closing {} connections with exchanges in progress", shared.port.connections.size()));
    for (auto* c : shared.port.connections) {
      c->ctl.fire(interruption::client_gone);
      c->abort();
    }
  }
  app& shared;
};

/// Accepts for as long as its port is open. If the loop ends for want of memory, it begins again a moment later.
struct server::listener final : deadline_sweep::entry {
  listener(server& s, tcp_acceptor& a, role r) : entry(s.shared_.sweep), owner(s), from(a), serves(r) { expired(); }
  void expired() override {
    try {
      asio::co_spawn(owner.shared_.io, owner.accept_loop(from, serves), [this](const std::exception_ptr& failed) {
        if (failed && from.is_open()) set(accept_pause);
      });
    } catch (const std::bad_alloc&) {
      set(accept_pause);
    }
  }
  server& owner;
  tcp_acceptor& from;
  role serves;
};

server::server(app& shared, reload_function reload, const server_options& options)
    : shared_(shared),
      reload_(std::move(reload)),
      proxy_(options.sockets.proxy >= 0
                 ? adopt(shared.io, options.sockets.proxy)
                 : bind(shared.io, shared.port.settings()->server.host, shared.port.settings()->server.port, "server")),
      admin_(options.sockets.admin >= 0
                 ? adopt(shared.io, options.sockets.admin)
                 : bind(shared.io, shared.port.settings()->admin.host, shared.port.settings()->admin.port, "admin")),
      signals_(shared.io),
      last_call_(std::make_unique<last_call>(shared)),
      manager_(shared.io),
      clients_within_descriptors_(clients_within_descriptors()) {
  if (options.signals)
    for (int const s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) signals_.add(s);
  if (!proxy_.empty()) shared_.port.url = url_of(proxy_.front(), shared_.port.tls != nullptr);
  for (auto const& a : proxy_) shared_.telemetry.log.info("listening on " + url_of(a, shared_.port.tls != nullptr));
  if (shared_.port.tls) shared_.telemetry.log.info("the certificate is valid until " + shared_.port.tls->valid_until());
  for (auto const& a : admin_) shared_.telemetry.log.info("admin on " + url_of(a));
  for (auto& a : proxy_) listeners_.emplace_back(*this, a, role::proxy);
  for (auto& a : admin_) listeners_.emplace_back(*this, a, role::admin);
  shared_.reload = [this] { return this->reload(); };
  say_how_many();
  manager_.ready("Listening on " + urls_of(proxy_, shared_.port.tls != nullptr));
  await_signal();
}

void server::say_how_many() const {
  auto const wanted = shared_.port.settings()->server.max_connections;
  if (wanted <= clients_within_descriptors_) return;
  shared_.telemetry.log.info(fmt::format(
      "at most {} clients are served at once, not {} (server.max_connections), so that descriptors are left "
      "for the provider; for more, raise the limit of open files (ulimit -n, LimitNOFILE=)",
      clients_within_descriptors_, wanted));
}

server::~server() {
  shared_.reload = nullptr;
}

std::size_t server::most_connections(role serves) const {
  auto const most = std::min(shared_.port.settings()->server.max_connections, clients_within_descriptors_);
  return serves == role::proxy ? most : most + admin_places;
}

places_by_network server::places_taken() const {
  places_by_network taken;
  for (auto const* c : shared_.port.connections)
    if (!c->ctl.fired()) ++taken[c->network];
  return taken;
}

bool server::end_longest_idle() {
  client_connection* longest = nullptr;
  for (auto* c : shared_.port.connections)
    if ((c->where == phase::idle || c->where == phase::lingering) && !c->ctl.fired() &&
        (!longest || c->where_since < longest->where_since))
      longest = c;
  if (!longest || steady_now() - longest->where_since < shortest_idleness) return false;
  longest->ctl.fire(interruption::draining);
  return true;
}

bool server::end_slowest_sender(network_id newcomer, places_by_network& taken) {
  auto const latest = steady_now() - shortest_idleness;
  client_connection* slowest = nullptr;
  for (auto* c : shared_.port.connections) {
    if (c->where != phase::reading || c->ctl.fired() || c->where_since > latest) continue;
    auto const places = taken[c->network];
    if (places < taken[newcomer] + 2) continue;  // afterwards the newcomer's would have more
    auto const most = slowest ? taken[slowest->network] : 0;
    if (places > most || (places == most && c->where_since < slowest->where_since)) slowest = c;
  }
  if (!slowest) return false;
  --taken[slowest->network];
  slowest->ctl.fire(interruption::draining);
  return true;
}

error_code server::serve(tcp_socket socket, role serves) {
  restore_memory_reserve();
  close_on_exec(socket);
  ++shared_.telemetry.stats.connections_accepted;
  try {
    auto with = serves == role::proxy ? shared_.port.tls : nullptr;
    asio::co_spawn(shared_.io, run_session(std::move(socket), shared_, serves, std::move(with)), asio::detached);
  } catch (const std::bad_alloc&) {
    return asio::error::no_memory;
  }
  return {};
}

error_code server::greet(tcp_acceptor& from, door& at) {
  for (unsigned n = 0; n < most_greeted_at_once; ++n) {
    tcp_socket socket(shared_.io);
    error_code ec;
    from.accept(socket, ec);
    if (ec) return ec == asio::error::would_block ? error_code() : ec;
    close_on_exec(socket);
    error_code left;
    auto const peer = socket.remote_endpoint(left);
    if (!left) at.come({std::move(socket), network_of(peer.address())});
  }
  return {};
}

error_code server::let_in(door& at, role serves) {
  auto taken = places_taken();
  // Sessions begin, and end, only after this.
  auto free = most_connections(serves) - std::min(most_connections(serves), shared_.port.connections.size());
  while (!at.empty()) {
    auto const from = at.next(taken);
    if (free == 0 && !end_longest_idle() && !end_slowest_sender(from, taken)) break;
    free -= std::min<std::size_t>(free, 1);
    ++taken[from];
    if (auto const ec = serve(at.let_in(from), serves)) return ec;
  }
  return {};
}

task<void> server::accept_loop(tcp_acceptor& from, role serves) {
  steady_timer pause(shared_.io);
  error_code ec;
  from.non_blocking(true, ec);
  door at;
  bool complained = false;
  bool full = false;
  while (from.is_open()) {
    if (at.empty() && shared_.port.connections.size() < most_connections(serves)) {
      full = false;
      auto [failed, socket] = co_await from.async_accept(tok);
      ec = failed ? failed : serve(std::move(socket), serves);
    } else {
      if (at.empty()) {
        auto [ended] = co_await from.async_wait(tcp_acceptor::wait_read, tok);
        if (ended) break;
      }
      if (!std::exchange(full, true))
        shared_.telemetry.log.warn(
            fmt::format("{} clients are connected, and no more are served at once: for each newcomer, the "
                        "connection that has been idle longest is closed (server.max_connections)",
                        shared_.port.connections.size()));
      ec = greet(from, at);
      auto const failed = let_in(at, serves);
      if (!ec) ec = failed;
    }
    if (!from.is_open() || ec == asio::error::operation_aborted) break;
    // Out of descriptors or memory, or the peer gave up: none ends the service.
    if (ec) {
      ++shared_.telemetry.stats.accept_errors;
      if (!complained) shared_.telemetry.log.error("accepting: " + ec.message());
    }
    complained = static_cast<bool>(ec);
    if (!ec && at.empty()) continue;
    pause.expires_after(accept_pause);
    co_await pause.async_wait(tok);
  }
}

void server::await_signal() {
  signals_.async_wait([this](error_code ec, int number) {
    // After the end of the last connection nothing is waited for, whatever else has been sent meanwhile.
    if (ec || (shared_.port.draining && shared_.port.connections.empty())) return;
    on_signal(number);
  });
}

void server::on_signal(int number) {
  await_signal();  // before anything that may fail
  if (number == SIGHUP) {
    reload();
    return;
  }
  if (number == SIGUSR1) {
    shared_.telemetry.log.reopen();
    return;
  }
  if (shared_.port.draining) {
    shared_.telemetry.log.warn("second signal: ending at once");
    last_call_->expired();
    return;
  }
  shared_.telemetry.log.info(fmt::format("signal {}: draining", number));
  drain();
}

void server::drain() {
  manager_.stopping();
  shared_.port.draining = true;
  shared_.telemetry.stop_history();
  error_code ignored;
  for (auto* const all : {&proxy_, &admin_})
    for (auto& a : *all) a.close(ignored);
  for (auto* c : shared_.port.connections)
    if (c->where == phase::idle || c->where == phase::queued) c->ctl.fire(interruption::draining);
  // With nothing left to wait for, the loop runs dry and main() ends.
  shared_.port.when_empty = [this] {
    last_call_->clear();
    manager_.end();
    shared_.upstreams.close_idle();
    signals_.cancel();
  };
  if (shared_.port.connections.empty()) {
    shared_.port.when_empty();
  } else {
    last_call_->set(shared_.port.settings()->server.drain_timeout);
  }
}

std::vector<std::string> server::reload() {
  manager_.reloading();
  auto problems = take_configuration();
  manager_.ready(problems.empty() ? "Listening on " + urls_of(proxy_, shared_.port.tls != nullptr)
                                  : "The configuration was refused; the previous one stays in force");
  return problems;
}

std::vector<std::string> server::take_configuration() {
  auto const refuse = [&](std::vector<std::string> lines) {
    ++shared_.telemetry.stats.reload_failures;
    for (auto const& line : lines) shared_.telemetry.log.error("configuration: " + line);
    shared_.telemetry.log.error("reload refused: the previous configuration stays in force");
    return lines;
  };
  auto loaded = reload_();
  if (auto* const lines = std::get_if<std::vector<std::string>>(&loaded)) return refuse(std::move(*lines));
  auto const& now = std::get<config::settings>(loaded);
  auto const before = shared_.port.settings();
  bool const had_tls = shared_.port.tls != nullptr;
  try {
    shared_.reconfigure(now);
  } catch (const std::exception& e) {
    return refuse({e.what()});
  }
  ++shared_.telemetry.stats.reloads;
  shared_.telemetry.log.info("configuration reloaded");
  if (shared_.port.tls) shared_.telemetry.log.info("the certificate is valid until " + shared_.port.tls->valid_until());
  if (had_tls != (shared_.port.tls != nullptr))
    shared_.telemetry.log.warn(had_tls ? "new connections use plain text from now on"
                                       : "new connections use TLS from now on");
  if (now.server.host != before->server.host || now.server.port != before->server.port || now.admin != before->admin)
    shared_.telemetry.log.warn("server.host, server.port, admin.host and admin.port change only with a restart");
  return {};
}

}  // namespace cooldown::net
