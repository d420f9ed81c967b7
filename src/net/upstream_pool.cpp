#include "cooldown/net/upstream_pool.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/net/dial.hpp"
#include "cooldown/net/path_watch.hpp"

namespace cooldown::net {
namespace {

constexpr duration cleaning_interval = std::chrono::seconds{5};

}  // namespace

bool pool_settings::same_peer(const pool_settings& other) const {
  return origin.tls == other.origin.tls && origin.host == other.origin.host && origin.port == other.origin.port &&
         tls.verify == other.tls.verify && tls.ca_file.empty() == other.tls.ca_file.empty() &&
         tls.server_name == other.tls.server_name && authorities == other.authorities;
}

/// Closes idle connections that are too old, or that the peer has closed or written to.
struct upstream_pool::janitor final : deadline_sweep::entry {
  janitor(deadline_sweep& sweep, upstream_pool& p) : entry(sweep), pool(p) {}
  void expired() override {
    auto const now = steady_now();
    std::erase_if(pool.idle_, [&](const connection_ptr& c) {
      return now - c->idle_since > pool.settings_.idle_timeout || !pool.is_good(*c, now);
    });
    if (!pool.idle_.empty()) set(cleaning_interval);
  }
  upstream_pool& pool;
};

upstream_pool::upstream_pool(asio::io_context& io, deadline_sweep& sweep, const pool_settings& settings)
    : io_(io),
      settings_(settings),
      tls_(settings.origin.tls ? std::make_shared<tls_client>(settings.tls, settings.path) : nullptr),
      addresses_(io, settings.origin.host, settings.origin.port),
      janitor_(std::make_unique<janitor>(sweep, *this)) {}

upstream_pool::~upstream_pool() = default;

void upstream_pool::retire() {
  retired_ = true;
  addresses_.close();
  close_idle();
}

void upstream_pool::close_idle() {
  idle_.clear();
  janitor_->clear();
}

bool upstream_pool::is_good(upstream_connection& c, time_point now) const {
  return now - c.made_at < settings_.largest_age && c.quiet();
}

void upstream_pool::give_back(connection_ptr c) {
  // Bytes that nobody asked for mean a peer that cannot be trusted with the next request (response desynchronisation).
  // What the socket has of them shows when the connection is taken again.
  auto const now = steady_now();
  bool const old = now - c->made_at >= settings_.largest_age;
  if (retired_ || old || c->in.size() > 0 || idle_.size() >= settings_.max_idle) return;
  c->in.shrink_to_fit();
  c->reused = true;
  c->idle_since = now;
  if (idle_.empty()) janitor_->set(cleaning_interval);
  idle_.push_back(std::move(c));
}

task<error_code> upstream_pool::shake_hands(upstream_connection& c, interrupt& ctl, connect_failure& why) {
  auto& stream = *c.tls();
  auto const unacceptable = std::make_shared<std::string>();
  auto const ec = tls_->prepare(stream, settings_.origin.host, unacceptable);
  if (ec) co_return ec;
  auto const failed = co_await c.shake_hands(ctl);
  if (!unacceptable->empty()) {
    why.certificate = true;
    why.message = "certificate of " + settings_.origin.host + ": " + *unacceptable;
  }
  co_return failed;
}

task<upstream_pool::connection_ptr> upstream_pool::connect_to(endpoints addresses, interrupt& ctl, duration patience,
                                                              connect_failure& why) {
  connection_ptr c;
  while (!addresses.empty() && !ctl.fired()) {
    ctl.set(patience);
    dialled got(io_);
    co_await dial(addresses, patience, ctl, got);
    auto ec = got.failed;
    if (!ec) {
      watch_path(got.socket);
      got.socket.non_blocking(true, ec);
      c = tls_ ? std::make_unique<upstream_connection>(tls_, std::move(got.socket))
               : std::make_unique<upstream_connection>(std::move(got.socket));
      if (tls_) ec = co_await shake_hands(*c, ctl, why);
    }
    if (!ec) {
      addresses_.worked(got.to);
      co_return c;
    }
    c.reset();
    if (why.certificate) break;
    bool const nobody = static_cast<bool>(got.failed);
    if (nobody && got.only_local_errors && is_local(ec)) why.local = ec;
    why.message = "connecting to " + got.to.address().to_string() + ": " + (ctl.fired() ? "timed out" : ec.message());
    if (nobody) break;
    // It answers, but not in TLS; the others may, each in a time of its own.
    std::erase(addresses, got.to);
    if (ctl.why() == interruption::timeout && !addresses.empty()) ctl.reset();
  }
  co_return c;
}

task<upstream_pool::connection_ptr> upstream_pool::connect(interrupt& ctl, duration patience, connect_failure& why) {
  connection_ptr c;
  endpoints addresses;
  ctl.set(patience);
  auto const ec = co_await addresses_.find(ctl, addresses);
  if (ec) {
    why.message = "looking up " + settings_.origin.host + ": " + (ctl.fired() ? "timed out" : ec.message());
    // An error of the system, rather than of names, never left this machine.
    if (is_local(ec) || (ec.category() == boost::system::system_category() && ec != asio::error::operation_aborted))
      why.local = ec;
  } else {
    c = co_await connect_to(std::move(addresses), ctl, patience, why);
    bool const left = ctl.fired() && ctl.why() != interruption::timeout;
    if (!c && !why.local && !left) addresses_.doubt();
  }
  ctl.clear();
  co_return c;
}

upstream_pool::connection_ptr upstream_pool::take_idle() {
  while (!idle_.empty()) {
    auto c = std::move(idle_.back());
    idle_.pop_back();
    if (is_good(*c, steady_now())) return c;
  }
  return nullptr;
}

task<upstream_pool::result> upstream_pool::acquire(interrupt& ctl, bool fresh, duration patience) {
  result got;
  if (!fresh) got = take_idle();
  if (std::get<connection_ptr>(got)) co_return got;
  connect_failure why;
  auto c = co_await connect(ctl, patience, why);
  if (c) {
    ++opened_;
    got = std::move(c);
    co_return got;
  }
  if (why.local) idle_.clear();  // they hold some of what is missing
  why.interrupted = ctl.fired();
  got = std::move(why);
  co_return got;
}

}  // namespace cooldown::net
