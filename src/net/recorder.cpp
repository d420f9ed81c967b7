#include "cooldown/net/recorder.hpp"

#include <exception>
#include <new>
#include <utility>

#include <boost/asio/post.hpp>

#include "cooldown/net/identity.hpp"
#include "cooldown/net/memory.hpp"

namespace cooldown::net {
namespace {

state::retention kept(const config::state_settings::spans& s) {
  using std::chrono::ceil;
  using std::chrono::seconds;
  return {.minutes = ceil<seconds>(s.minutes), .hours = ceil<seconds>(s.hours), .days = ceil<seconds>(s.days)};
}

/// Destinations tell their scopes apart by their names, which a configuration can change; an account is the same
/// wherever it stands.
void tell_apart(learned_state& learned, std::uint64_t destination) {
  for (auto& scope : learned.scopes) scope.credential ^= destination;
}

}  // namespace

recorder::recorder(app& of, const state::database_place& at, std::string secret)
    : app_(of),
      secret_(std::move(secret)),
      keeper_(at.file, kept(of.port.settings()->state.keep),
              [&of](const std::string& text) { asio::post(of.io, [&of, text] { of.telemetry.log.warn(text); }); }),
      timer_(of.io) {
  for (auto const& d : app_.upstreams.all())
    if (at.chosen || !config::is_loopback(d->upstream_of_now()->of->base_url.host)) restore(*d);
  try {
    keeper_.start();
  } catch (const std::exception& why) {
    app_.telemetry.log.warn(std::string("no thread for writing the state: ") + why.what() +
                            ": nothing is remembered over a restart");
    return;
  }
  app_.telemetry.counted = [this](const observe::access_record& r, wall_time now) {
    try {
      without_reserve const dispensable;
      ledger_.record(r, app_.upstreams.first()->name(), now);
      arm();
    } catch (const std::bad_alloc&) {  // service is worth more than its record
    }
  };
  app_.telemetry.when_stopped = [this] {
    stopped_ = true;
    timer_.cancel();
  };
}

recorder::~recorder() {
  app_.telemetry.counted = nullptr;
  app_.telemetry.when_stopped = nullptr;
  keeper_.submit(take());
}

void recorder::restore(destination& d) {
  auto learned = keeper_.learned(account_of(d));
  tell_apart(learned, d.id());
  d.limiter.restore(learned, steady_now(), wall_now());
}

void recorder::arm() {
  if (armed_ || stopped_) return;
  armed_ = true;
  timer_.expires_after(app_.port.settings()->state.every);
  timer_.async_wait([this](error_code ended) {
    armed_ = false;
    if (ended) return;
    try {
      without_reserve const dispensable;
      keeper_.submit(take());
    } catch (const std::bad_alloc&) {  // the next time
    }
  });
}

state::snapshot recorder::take() {
  auto const now = steady_now();
  auto const wall = wall_now();
  state::snapshot out{.used = {}, .learned = {}, .at = wall};
  for (auto const& d : app_.upstreams.all()) {
    auto learned = d->limiter.save(now, wall);
    tell_apart(learned, d->id());
    if (!learned.scopes.empty()) out.learned.push_back({account_of(*d), std::move(learned)});
  }
  out.used = ledger_.take();  // last: nothing is lost if memory is out before
  return out;
}

std::string recorder::account_of(const destination& d) const {
  auto const& at = *d.upstream_of_now();
  auto const& url = at.of->base_url;
  return keyed_hash(secret_, url.authority() + url.prefix + '\n' + at.key);
}

}  // namespace cooldown::net
