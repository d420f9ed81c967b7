#include "cooldown/net/upstream_pool.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

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
      return now - c->idle_since > pool.settings_.idle_timeout || !c->quiet();
    });
    if (!pool.idle_.empty()) set(cleaning_interval);
  }
  upstream_pool& pool;
};

upstream_pool::upstream_pool(asio::io_context& io, deadline_sweep& sweep, const pool_settings& settings)
    : io_(io), settings_(settings), janitor_(std::make_unique<janitor>(sweep, *this)) {
  if (settings_.origin.tls) tls_ = std::make_shared<tls_client>(settings_.tls);
}

upstream_pool::~upstream_pool() = default;

void upstream_pool::configure(const pool_settings& settings) {
  if (!same_peer(settings_, settings)) {
    auto tls = settings.origin.tls ? std::make_shared<tls_client>(settings.tls) : nullptr;
    idle_.clear();
    resolved_.clear();
    ++generation_;
    tls_ = std::move(tls);
  }
  settings_ = settings;
}

void upstream_pool::close_idle() {
  idle_.clear();
  janitor_->clear();
}

void upstream_pool::give_back(connection_ptr c) {
  // Bytes that nobody asked for mean a peer that cannot be trusted with the next request (response desynchronisation).
  if (c->generation != generation_ || idle_.size() >= settings_.max_idle || !c->quiet()) return;
  c->in.shrink_to_fit();
  c->reused = true;
  c->idle_since = steady_now();
  if (idle_.empty()) janitor_->set(cleaning_interval);
  idle_.push_back(std::move(c));
}

task<error_code> upstream_pool::resolve(interrupt& ctl, endpoints& out) {
  error_code not_an_address;
  auto const address = asio::ip::make_address(settings_.origin.host, not_an_address);
  if (!not_an_address) {
    out.assign(1, {address, settings_.origin.port});
    co_return error_code{};
  }
  if (!resolved_.empty() && steady_now() - resolved_at_ < resolution_lifetime) {
    out = resolved_;
    co_return error_code{};
  }
  resolver names(io_);
  interrupt::watching<resolver> const watched(ctl, names);
  auto const service = std::to_string(settings_.origin.port);
  auto const host = settings_.origin.host;
  auto const flags = resolver::numeric_service;
  auto [ec, results] = co_await names.async_resolve(host, service, flags, tok);
  if (ec) co_return ec;
  out.clear();
  for (auto const& r : results) out.push_back(r.endpoint());
  resolved_ = out;
  resolved_at_ = steady_now();
  co_return error_code{};
}

task<error_code> upstream_pool::connect_one(asio::ip::tcp::endpoint to, interrupt& ctl, connection_ptr& out,
                                            connect_failure& why) {
  tcp_socket socket(io_);
  error_code ec;
  socket.open(to.protocol(), ec);
  if (ec) co_return ec;
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  {
    interrupt::watching<tcp_socket> const watched(ctl, socket);
    auto [failed] = co_await socket.async_connect(to, tok);
    if (failed) co_return failed;
  }
  socket.non_blocking(true, ec);
  if (!tls_) {
    out = std::make_unique<upstream_connection>(std::move(socket));
    co_return error_code{};
  }
  auto const tls = tls_;  // stays alive if the configuration changes under the handshake
  auto secure = std::make_unique<upstream_connection>(std::move(socket), tls->context());
  secure->keep_alive_context(tls);
  auto& stream = *secure->tls();
  ec = tls->prepare(stream, settings_.origin.host);
  if (ec) co_return ec;
  interrupt::watching<tcp_socket> const watched(ctl, secure->socket());
  auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::client, tok);
  if (failed) {
    auto const verdict = SSL_get_verify_result(stream.native_handle());
    if (verdict != X509_V_OK ||
        ERR_GET_REASON(static_cast<unsigned long>(failed.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      why.certificate = true;
      why.message = std::string("certificate of ") + settings_.origin.host + ": " +
                    (verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : "not for this name");
    }
    co_return failed;
  }
  out = std::move(secure);
  co_return error_code{};
}

task<std::variant<upstream_pool::connection_ptr, connect_failure>> upstream_pool::acquire(interrupt& ctl, bool fresh) {
  using result = std::variant<connection_ptr, connect_failure>;
  while (!fresh && !idle_.empty()) {
    auto c = std::move(idle_.back());
    idle_.pop_back();
    if (c->quiet()) co_return result(std::move(c));
  }
  connect_failure why;
  endpoints addresses;
  auto const generation = generation_;
  ctl.set(settings_.connect_timeout);
  auto ec = co_await resolve(ctl, addresses);
  if (ec) why.message = "looking up " + settings_.origin.host + ": " + ec.message();
  for (std::size_t i = 0; i < addresses.size() && !ctl.fired(); ++i) {
    connection_ptr c;
    auto const address = addresses[i];
    ctl.set(settings_.connect_timeout);
    ec = co_await connect_one(address, ctl, c, why);
    if (!ec) {
      ctl.clear();
      ++opened_;
      c->generation = generation;
      // The address that answered is tried first next time.
      if (i > 0 && resolved_ == addresses)
        std::rotate(resolved_.begin(), resolved_.begin() + static_cast<std::ptrdiff_t>(i), resolved_.end());
      co_return result(std::move(c));
    }
    if (why.certificate) break;
    // A hanging address is given up, the next one gets its own time.
    if (ctl.why() == interruption::timeout && i + 1 < addresses.size()) ctl.reset();
    why.message = "connecting to " + address.address().to_string() + ": " + (ctl.fired() ? "timed out" : ec.message());
  }
  ctl.clear();
  resolved_.clear();  // the addresses may have changed: ask again next time
  why.interrupted = ctl.fired();
  co_return result(std::move(why));
}

}  // namespace cooldown::net
