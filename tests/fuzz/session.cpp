// A whole session of the proxy between a scripted client and a scripted upstream, on loopback sockets and a clock of
// its own. session_script.hpp has the input's form.
#include "cooldown/net/session.hpp"

#include <algorithm>
#include <list>

#include <boost/asio/co_spawn.hpp>
#include <sched.h>

#include "cooldown/net/app.hpp"

#include "session_checks.hpp"
#include "session_peer.hpp"
#include "session_script.hpp"
#include "virtual_time.hpp"

namespace cooldown::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_handlers = 100'000;
constexpr auto longest_session = 900s;

config::settings settings_for(const script& s, std::uint16_t upstream_port) {
  config::settings out;
  out.server.max_header_size = 1024;
  out.server.max_body_size = 1024;
  out.server.header_timeout = 2s;
  out.server.body_timeout = 2s;
  out.server.idle_timeout = 5s;
  auto& c = out.cerebras;
  c.base_url = {.tls = false, .host = "127.0.0.1", .port = upstream_port, .prefix = "/p"};
  if (s.own_key) c.api_key = "own";
  c.rpm_limit = 30;
  c.tpm_limit = 10'000;
  c.rate_limits.use_headers = s.use_headers;
  c.rate_limits.header_timeout = 1s;
  c.queue.max_depth = 4;
  c.queue.max_wait = 90s;
  if (s.comments) c.queue.keepalive_after = 1s;
  c.retries = 1;
  c.circuit_breaker.failure_threshold = 3;
  c.timeouts.connect = 1s;
  c.timeouts.first_byte = 4s;
  c.timeouts.idle = 4s;
  out.logging.level = config::log_level::off;
  return out;
}

observe::log& quiet_log() {
  config::logging_settings off;
  off.level = config::log_level::off;
  static observe::log log(off);
  return log;
}

class world {
 public:
  explicit world(script s)
      : script_(std::move(s)),
        settings_(settings_for(script_, upstream_.port())),
        expected_(expectation_of(script_.client_bytes, settings_.server)),
        forwarded_(expected_, settings_.cerebras),
        app_(io_, settings_, quiet_log()),
        client_(front_.connect()) {
    // A connection that the last run made and never used.
    for (int fd = upstream_.accept(); fd >= 0; fd = upstream_.accept()) peer(fd).close();
    net::tcp_socket socket(io_);
    socket.assign(net::asio::ip::tcp::v4(), front_.accept(2000));
    auto const role = script_.admin ? net::role::admin : net::role::proxy;
    net::asio::co_spawn(io_, net::run_session(std::move(socket), app_, role), [this](const std::exception_ptr& e) {
      require(!e, "a session does not throw");
      over_ = true;
    });
    client_.to_do = std::move(script_.client);
  }

  void run() {
    auto const start = net::steady_now();
    auto tick = 100ms;
    for (;;) {
      // The kernel may pass bytes on in a thread of its own.
      while (step() || (::sched_yield() == 0 && step())) continue;
      if (over_) break;
      if (go_on()) continue;
      require(net::steady_now() - start < longest_session, "a session ends when its client has no more to say");
      advance_clock(tick);
      if (net::steady_now() - start > 2s) tick = 1s;
    }
    while (client_.step(net::steady_now()) || client_.wait_for_more()) continue;
    require(client_.ended || !client_.open(), "the client is told that its session is over");
    auto const how = client_.open() && !client_.was_reset ? ending::end : ending::reset;
    check_whole(check_answers(client_.received, expected_, how));
    // Who says nothing for too long is left without a word.
    if (!script_.client_leaves && !script_.client_stalls && !expected_.requests.empty())
      require(!client_.received.empty() || client_.was_reset, "a sound request is answered");
    require(app_.port.connections.empty() && app_.telemetry.stats.requests_in_progress == 0,
            "nothing is left of a session");
    require(app_.upstreams.first()->limiter.queue_length() == 0, "nor of its place in the queue");
  }

 private:
  bool step() {
    bool moved = false;
    io_.restart();
    while (io_.poll_one() > 0) {
      moved = true;
      require(++handlers_ < most_handlers, "a session's work is bounded");
    }
    auto const now = net::steady_now();
    moved = client_.step(now) || moved;
    for (int fd = upstream_.accept(); fd >= 0; fd = upstream_.accept()) {
      upstreams_.emplace_back(fd);
      moved = true;
    }
    for (auto& u : upstreams_) {
      moved = u.step(now) || moved;
      // At once, also from one that still says something: the order among upstreams is the order of forwarding.
      while (u.open() && forwarded_.take(u.received)) answer(u);
    }
    return moved;
  }

  void answer(peer& u) {
    require(!script_.admin, "the admin port forwards nothing");
    u.methods.push_back(forwarded_.last_method());
    if (!script_.answers.empty()) {
      auto& next = script_.answers.front();
      u.to_do.insert(u.to_do.end(), std::make_move_iterator(next.begin()), std::make_move_iterator(next.end()));
      script_.answers.pop_front();
    } else if (!script_.silent) {
      u.to_do.push_back({action::what::send, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
    }
  }

  /// A proxy may fail to pass an answer on, but not make one up, or make a cut one look whole.
  void check_whole(const std::vector<whole_answer>& got) const {
    std::vector<whole_answer> given;
    for (auto const& u : upstreams_)
      for (auto& a : answers_of(u.sent, u.methods, u.sent_end ? ending::end : ending::reset))
        given.push_back(std::move(a));
    for (auto const& a : got) {
      // Behind comments an answer may be an event of the stream that they began.
      if (script_.comments && a.body.starts_with(": queued")) continue;
      require(std::find(given.begin(), given.end(), a) != given.end(), "a whole answer is the upstream's, unchanged");
    }
  }

  bool go_on() {
    bool moved = client_.go_on();
    for (auto& u : upstreams_) moved = u.go_on() || moved;
    return moved;
  }

  static inline listener front_;
  static inline listener upstream_;

  script script_;
  config::settings settings_;
  expectation expected_;
  forwarded_checks forwarded_;
  net::asio::io_context io_{1};
  net::app app_;
  peer client_;
  std::list<peer> upstreams_;
  std::size_t handlers_ = 0;
  bool over_ = false;
};

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  world(script_of(view_of(data, size))).run();
  return 0;
}
