#include "cooldown/net/upstream_pool.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "cooldown/net/close_on_exec.hpp"

namespace cooldown::net {
namespace {

// Long enough to spare a look-up per connection, short enough to follow a provider that moves.
constexpr duration resolution_lifetime = std::chrono::seconds{30};
constexpr duration cleaning_interval = std::chrono::seconds{5};

bool same_peer(const pool_settings& a, const pool_settings& b) {
  return a.origin.tls == b.origin.tls && a.origin.host == b.origin.host && a.origin.port == b.origin.port &&
         a.tls.verify == b.tls.verify && a.tls.ca_file == b.tls.ca_file && a.tls.server_name == b.tls.server_name;
}

}  // namespace

/// Closes idle connections that are too old, or that the peer has closed or written to.
struct upstream_pool::janitor final : deadline_sweep::entry {
  janitor(deadline_sweep& sweep, upstream_pool& p) : entry(sweep), pool(p) {}
  void expired() override {
    auto const now = steady_now();
    std::erase_if(pool.idle_, [&](const connection_ptr& c) {
      return now - c->idle_since > pool.now_->settings.idle_timeout || !c->quiet();
    });
    if (!pool.idle_.empty()) set(cleaning_interval);
  }
  upstream_pool& pool;
};

upstream_pool::provider::provider(const pool_settings& s) : settings(s) {
  if (s.origin.tls) tls.emplace(s.tls);
}

upstream_pool::upstream_pool(asio::io_context& io, deadline_sweep& sweep, const pool_settings& settings)
    : io_(io), now_(std::make_shared<provider>(settings)), janitor_(std::make_unique<janitor>(sweep, *this)) {}

upstream_pool::~upstream_pool() = default;

void upstream_pool::configure(const pool_settings& settings) {
  if (same_peer(now_->settings, settings)) {
    now_->settings = settings;
    return;
  }
  now_ = std::make_shared<provider>(settings);
  idle_.clear();
}

void upstream_pool::close_idle() {
  idle_.clear();
  janitor_->clear();
}

void upstream_pool::give_back(connection_ptr c) {
  // Bytes that nobody asked for mean a peer that cannot be trusted with the next request (response desynchronisation).
  if (c->made_for() != now_ || idle_.size() >= now_->settings.max_idle || !c->quiet()) return;
  c->in.shrink_to_fit();
  c->reused = true;
  c->idle_since = steady_now();
  if (idle_.empty()) janitor_->set(cleaning_interval);
  idle_.push_back(std::move(c));
}

task<error_code> upstream_pool::resolve(provider& of, interrupt& ctl, endpoints& out) {
  auto const host = of.settings.origin.host;
  error_code not_an_address;
  auto const address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) {
    out.assign(1, {address, of.settings.origin.port});
    co_return error_code{};
  }
  if (!of.resolved.empty() && steady_now() - of.resolved_at < resolution_lifetime) {
    out = of.resolved;
    co_return error_code{};
  }
  resolver names(io_);
  interrupt::watching<resolver> const watched(ctl, names);
  auto const service = std::to_string(of.settings.origin.port);
  auto const flags = resolver::numeric_service;
  auto [ec, results] = co_await names.async_resolve(host, service, flags, tok);
  if (ec) co_return ec;
  out.clear();
  for (auto const& r : results) out.push_back(r.endpoint());
  of.resolved = out;
  of.resolved_at = steady_now();
  co_return error_code{};
}

task<error_code> upstream_pool::connect_one(provider_ptr of, asio::ip::tcp::endpoint to, interrupt& ctl,
                                            connection_ptr& out, connect_failure& why) {
  tcp_socket socket(io_);
  error_code ec;
  socket.open(to.protocol(), ec);
  if (ec) co_return ec;
  close_on_exec(socket);
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  {
    interrupt::watching<tcp_socket> const watched(ctl, socket);
    auto [failed] = co_await socket.async_connect(to, tok);
    if (failed) co_return failed;
  }
  socket.non_blocking(true, ec);
  if (!of->tls) {
    out = std::make_unique<upstream_connection>(std::move(of), std::move(socket));
    co_return error_code{};
  }
  auto secure = std::make_unique<upstream_connection>(of, std::move(socket), of->tls->context());
  auto& stream = *secure->tls();
  auto const& host = of->settings.origin.host;
  ec = of->tls->prepare(stream, host);
  if (ec) co_return ec;
  interrupt::watching<tcp_socket> const watched(ctl, secure->socket());
  auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::client, tok);
  if (failed) {
    auto const verdict = SSL_get_verify_result(stream.native_handle());
    if (verdict != X509_V_OK ||
        ERR_GET_REASON(static_cast<unsigned long>(failed.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      why.certificate = true;
      why.message = std::string("certificate of ") + host + ": " +
                    (verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : "not for this name");
    }
    co_return failed;
  }
  out = std::move(secure);
  co_return error_code{};
}

task<upstream_pool::connection_ptr> upstream_pool::connect(provider_ptr of, interrupt& ctl, connect_failure& why) {
  connection_ptr c;
  endpoints addresses;
  ctl.set(of->settings.connect_timeout);
  auto ec = co_await resolve(*of, ctl, addresses);
  if (ec) why.message = "looking up " + of->settings.origin.host + ": " + ec.message();
  // A look-up that fails with an error of the system, rather than of names, never left this machine (EAI_SYSTEM).
  if (ec && (is_local(ec) || ec.category() == boost::system::system_category()) && !ctl.fired()) why.local = ec;
  for (std::size_t i = 0; i < addresses.size() && !ctl.fired(); ++i) {
    auto const address = addresses[i];
    ctl.set(of->settings.connect_timeout);
    ec = co_await connect_one(of, address, ctl, c, why);
    if (!ec) {
      ctl.clear();
      // The address that answered is tried first next time.
      if (i > 0 && of->resolved == addresses)
        std::rotate(of->resolved.begin(), of->resolved.begin() + static_cast<std::ptrdiff_t>(i), of->resolved.end());
      co_return c;
    }
    why.local = is_local(ec) && (i == 0 || why.local) ? ec : error_code();
    if (why.certificate) break;
    // A hanging address is given up, the next one gets its own time.
    if (ctl.why() == interruption::timeout && i + 1 < addresses.size()) ctl.reset();
    why.message = "connecting to " + address.address().to_string() + ": " + (ctl.fired() ? "timed out" : ec.message());
  }
  ctl.clear();
  of->resolved.clear();  // the addresses may have changed: ask again next time
  co_return c;
}

task<std::variant<upstream_pool::connection_ptr, connect_failure>> upstream_pool::acquire(interrupt& ctl, bool fresh) {
  using result = std::variant<connection_ptr, connect_failure>;
  while (!fresh && !idle_.empty()) {
    auto c = std::move(idle_.back());
    idle_.pop_back();
    if (c->quiet()) co_return result(std::move(c));
  }
  for (;;) {
    auto const of = now_;
    connect_failure why;
    auto c = co_await connect(of, ctl, why);
    if (c) ++opened_;
    if (why.local) idle_.clear();  // they hold some of what is missing
    bool const outdated = of != now_;
    if (c && !outdated) co_return result(std::move(c));
    bool const ended = ctl.fired() && ctl.why() != interruption::timeout;
    why.interrupted = ctl.fired();
    if (ended || !outdated) co_return result(std::move(why));
    // A reload has come in between: whether the provider of before can be reached is no question any more.
    ctl.reset();
  }
}

}  // namespace cooldown::net
