// Every system call of a session fails once, each in a run of its own: whatever breaks, one exchange at most is lost,
// and nothing is left behind.
#include <cerrno>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "cooldown/http/head.hpp"
#include "cooldown/net/app.hpp"
#include "cooldown/net/session.hpp"

#include "fuzz/session_checks.hpp"
#include "fuzz/session_peer.hpp"
#include "fuzz/virtual_time.hpp"

namespace {

/// What happens to the system calls that the proxy makes; those of its peers are left alone.
struct injector {
  static constexpr int end_of_stream = 0;  // in place of an error: recv() returns 0
  static constexpr int none = -1;          // calls of this kind are made

  bool in_proxy = false;
  std::size_t calls = 0;
  std::size_t fails = 0;  // which one, from 1; 0: none
  struct errors_by_call {
    int receive = none;
    int send = none;
    int connection = none;
    int option = none;
  } errors;

  enum class call : std::uint8_t { receive, send, connection, option };

  /// The error with which this call fails; nullopt: it is made.
  std::optional<int> next(call which) {
    if (!in_proxy || ++calls != fails) return std::nullopt;
    int const error = which == call::receive      ? errors.receive
                      : which == call::send       ? errors.send
                      : which == call::connection ? errors.connection
                                                  : errors.option;
    return error == none ? std::nullopt : std::optional(error);
  }
};

injector faults;

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int failed(int error) {
  errno = error;
  return -1;
}

}  // namespace

// The executable's definitions win over those of the shared libraries.
extern "C" {

ssize_t recv(int fd, void* to, size_t n, int flags) {
  static auto* const call = real<decltype(::recv)>("recv");
  if (auto const e = faults.next(injector::call::receive)) return *e == injector::end_of_stream ? 0 : failed(*e);
  return call(fd, to, n, flags);
}

ssize_t recvmsg(int fd, msghdr* m, int flags) {
  static auto* const call = real<decltype(::recvmsg)>("recvmsg");
  if (auto const e = faults.next(injector::call::receive)) return *e == injector::end_of_stream ? 0 : failed(*e);
  return call(fd, m, flags);
}

ssize_t send(int fd, const void* from, size_t n, int flags) {
  static auto* const call = real<decltype(::send)>("send");
  if (auto const e = faults.next(injector::call::send)) return failed(*e);
  return call(fd, from, n, flags);
}

ssize_t sendmsg(int fd, const msghdr* m, int flags) {
  static auto* const call = real<decltype(::sendmsg)>("sendmsg");
  if (auto const e = faults.next(injector::call::send)) return failed(*e);
  return call(fd, m, flags);
}

int socket(int domain, int type, int protocol) noexcept {
  static auto* const call = real<int(int, int, int)>("socket");
  if (auto const e = faults.next(injector::call::connection)) return failed(*e);
  return call(domain, type, protocol);
}

int connect(int fd, const sockaddr* to, socklen_t size) {
  static auto* const call = real<int(int, const sockaddr*, socklen_t)>("connect");
  if (auto const e = faults.next(injector::call::connection)) return failed(*e);
  return call(fd, to, size);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  static auto* const call = real<int(int, int, int, void*, socklen_t*)>("getsockopt");
  if (auto const e = faults.next(injector::call::connection)) return failed(*e);
  return call(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  static auto* const call = real<int(int, int, int, const void*, socklen_t)>("setsockopt");
  if (auto const e = faults.next(injector::call::option)) return failed(*e);
  return call(fd, level, name, value, size);
}

int shutdown(int fd, int how) noexcept {
  static auto* const call = real<int(int, int)>("shutdown");
  if (auto const e = faults.next(injector::call::option)) return failed(*e);
  return call(fd, how);
}

int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  static auto* const call = real<int(int, int, int, epoll_event*)>("epoll_ctl");
  // A descriptor that is closed leaves by itself.
  if (what != EPOLL_CTL_DEL)
    if (auto const e = faults.next(injector::call::connection)) return failed(*e);
  return call(epoll, what, fd, event);
}

}  // extern "C"

namespace cooldown::net {
namespace {

using namespace std::chrono_literals;
using fuzz::action;

struct planned {
  std::string method;
  std::string bytes;
  bool together = false;  // sent with the one before, which is not answered yet
  unsigned status = 200;
};

std::string mark(std::size_t i) {
  return fmt::format("mark-{}.", i);
}

std::vector<planned> scenario() {
  std::vector<planned> out;
  auto const post = [&](const std::string& fields, const std::string& more) {
    auto const body = fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"{}{}"}}],"max_tokens":5{}}})",
                                  mark(out.size()), std::string(300, 'x'), more);
    return fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n{}Content-Length: {}\r\n\r\n{}", fields,
                       body.size(), body);
  };
  auto const get = [&](const char* method) {
    return fmt::format("{} /v1/models/{} HTTP/1.1\r\nHost: h\r\n\r\n", method, mark(out.size()));
  };
  for (int i = 0; i < 2; ++i) {
    bool const together = i == 1;
    out.push_back({"POST", post("", "")});
    out.push_back({"POST", post("", R"(,"stream":true)"), together});
    out.push_back({"GET", get("GET")});
    auto const chunk = fmt::format(R"({{"model":"m","prompt":"{}","max_tokens":5}})", mark(out.size()));
    out.push_back({"POST",
                   fmt::format("POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "{:x}\r\n{}\r\n0\r\n\r\n",
                               chunk.size(), chunk),
                   together});
    out.push_back({"POST", post("", R"(,"user":"refused once")")});
    out.push_back({"HEAD", get("HEAD"), together});
    out.push_back({"POST", post("", R"(,"user":"failed")"), false, 500});
    out.push_back({"POST", post("Expect: 100-continue\r\n", ""), together});
    out.push_back({"POST", post("", R"(,"user":"closed")")});
    out.push_back({"POST", post("", R"(,"user":"large")"), together});
  }
  return out;
}

enum class fate : std::uint8_t { open, good, refused, broken };

/// Plays the scenario once, with whatever faults are set.
class run {
 public:
  run() : settings_(make_settings(upstream_.port())), app_(io_, settings_, quiet()), plan_(scenario()) {
    fates_.resize(plan_.size(), fate::open);
    // A connection that the last run made and never used.
    for (int fd = upstream_.accept(); fd >= 0; fd = upstream_.accept()) fuzz::peer(fd).close();
  }

  void play() {
    auto const start = steady_now();
    while (!finished()) {
      while (step() || (::sched_yield() == 0 && step())) continue;
      if (read_answers() || go_on()) continue;
      advance();
      ASSERT_LT(steady_now() - start, 600s) << "it goes on";
    }
    client_.reset();
    for (int i = 0; i < 200 && !app_.port.connections.empty(); ++i) {
      while (step()) continue;
      advance();
    }
    while (step()) continue;
  }

  void check(bool harmless) {
    std::size_t lost = 0;
    std::string what;
    for (std::size_t i = 0; i < fates_.size(); ++i) {
      lost += fates_[i] == fate::good ? 0U : 1U;
      if (fates_[i] != fate::good) what += fmt::format("{}: {} ", i, static_cast<int>(fates_[i]));
      EXPECT_LE(forwarded_[i], 2U + (plan_[i].bytes.find(" once") == std::string::npos ? 0U : 1U)) << i;
    }
    EXPECT_LE(lost, harmless ? 0U : 1U) << what;
    EXPECT_TRUE(app_.port.connections.empty());
    EXPECT_EQ(app_.telemetry.stats.requests_in_progress, 0U);
    EXPECT_EQ(app_.upstreams.first()->limiter.queue_length(), 0U);
    EXPECT_EQ(app_.upstreams.first()->limiter.in_flight(), 0U);
    EXPECT_EQ(app_.port.bodies.total(), 0U);
    EXPECT_EQ(app_.upstreams.first()->provider().breaker.current(steady_now()), circuit_breaker::state::closed);
  }

 private:
  static config::settings make_settings(std::uint16_t upstream_port) {
    config::settings out;
    auto& c = out.cerebras;
    c.base_url = {.tls = false, .host = "127.0.0.1", .port = upstream_port, .prefix = ""};
    c.rpm_limit = 1000;
    c.tpm_limit = 1'000'000;
    c.retries = 1;
    c.timeouts.connect = 1s;
    c.timeouts.first_byte = 4s;
    c.timeouts.idle = 4s;
    c.circuit_breaker.failure_threshold = 50;
    out.logging.level = config::log_level::off;
    return out;
  }

  static observe::log& quiet() {
    config::logging_settings off;
    off.level = config::log_level::off;
    static observe::log log(off);
    return log;
  }

  bool finished() const { return next_ == plan_.size() && awaited_.empty(); }

  void advance() { fuzz::advance_clock(100ms); }

  bool step() {
    bool moved = false;
    faults.in_proxy = true;
    io_.restart();
    while (io_.poll_one() > 0) moved = true;
    faults.in_proxy = false;
    auto const now = steady_now();
    if (client_) moved = client_->step(now) || moved;
    for (int fd = upstream_.accept(); fd >= 0; fd = upstream_.accept()) {
      upstreams_.emplace_back(fd);
      moved = true;
    }
    for (auto& u : upstreams_) {
      moved = u.step(now) || moved;
      while (u.open() && u.to_do.empty() && answer(u)) continue;
    }
    return moved;
  }

  bool go_on() {
    bool moved = false;
    for (auto& u : upstreams_) moved = u.go_on() || moved;
    return moved;
  }

  void connect() {
    client_.emplace(front_.connect());
    methods_.clear();
    answered_ = 0;
    tcp_socket socket(io_);
    socket.assign(asio::ip::tcp::v4(), front_.accept(2000));
    asio::co_spawn(io_, run_session(std::move(socket), app_, role::proxy),
                   [](const std::exception_ptr& e) { EXPECT_FALSE(e) << "a session does not throw"; });
  }

  void send_next() {
    if (!client_) connect();
    do {
      awaited_.push_back(next_);
      methods_.push_back(plan_[next_].method);
      client_->to_do.push_back({action::what::send, plan_[next_].bytes});
      ++next_;
    } while (next_ < plan_.size() && plan_[next_].together);
  }

  /// True when something was made of what has come.
  bool read_answers() {
    if (awaited_.empty()) {
      if (next_ == plan_.size()) return false;
      send_next();
      return true;
    }
    auto const ended = client_->ended;
    auto const whole = fuzz::answers_of(client_->received, methods_, ended ? fuzz::ending::reset : fuzz::ending::open);
    auto const before = answered_;
    for (; answered_ < whole.size(); ++answered_) {
      auto const& a = whole[answered_];
      auto const i = awaited_.front();
      awaited_.pop_front();
      fates_[i] = a.status == plan_[i].status ? fate::good : fate::refused;
      bool const names_it = plan_[i].method == "HEAD" || a.body.find(mark(i)) != std::string::npos;
      EXPECT_TRUE(fates_[i] != fate::good || names_it) << "an answer is that of its request: " << a.body.substr(0, 200);
    }
    if (!ended) return answered_ != before;
    EXPECT_LE(heads(), methods_.size()) << client_->received.substr(0, 2000);
    // The one it was busy with is lost; those behind it are asked for again.
    if (!awaited_.empty()) {
      bool const begun = heads() > answered_;
      next_ = awaited_.front();
      if (begun || !std::exchange(tried_[next_], true)) {
        fates_[next_] = fate::broken;
        ++next_;
      }
      awaited_.clear();
    }
    client_.reset();
    return true;
  }

  /// Final answers that have begun.
  std::size_t heads() const {
    std::size_t n = 0;
    for (auto at = client_->received.find("HTTP/1.1 "); at != std::string::npos;
         at = client_->received.find("HTTP/1.1 ", at + 1))
      n += client_->received.compare(at + 9, 1, "1") == 0 ? 0U : 1U;
    return n;
  }

  /// Answers a request that has come whole.
  bool answer(fuzz::peer& u) {
    auto const end = u.received.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    http::request_head head;
    EXPECT_FALSE(http::parse_request_head(std::string_view(u.received).substr(0, end + 4), head));
    auto const size = end + 4 + head.body.length;
    if (u.received.size() < size) return false;
    auto const request = u.received.substr(0, size);
    u.received.erase(0, size);
    auto const at = request.find("mark-");
    auto const i = static_cast<std::size_t>(std::stoul(request.substr(at + 5)));
    bool const first = ++forwarded_[i] == 1;
    auto const has = [&](const char* text) { return request.find(text) != std::string::npos; };
    auto const say = [&](std::string bytes) { u.to_do.push_back({action::what::send, std::move(bytes)}); };
    auto const body = fmt::format(R"({{"id":"{}","usage":{{"prompt_tokens":3,"completion_tokens":2}}}})", mark(i));
    auto const ok = [&](const char* fields, const std::string& b) {
      return fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n{}", fields, b.size(), b);
    };
    if (has("refused once") && first) {
      say("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}");
    } else if (has("\"failed\"")) {
      say(fmt::format("HTTP/1.1 500 Internal Server Error\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
    } else if (has("\"closed\"")) {
      say(ok("Connection: close\r\n", body));
      u.to_do.push_back({action::what::end, {}});
    } else if (has("\"large\"")) {
      say(ok("", body + std::string(100'000, ' ')));
    } else if (has(R"("stream":true)")) {
      auto const event = fmt::format("data: {{\"id\":\"{}\"}}\n\n", mark(i));
      say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (int n = 0; n < 3; ++n) {
        say(fmt::format("{:x}\r\n{}\r\n", event.size(), event));
        u.to_do.push_back({action::what::wait, {}});
      }
      say("0\r\n\r\n");
    } else if (head.method == "HEAD") {
      say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    } else {
      say(ok("", body));
    }
    return true;
  }

  static inline fuzz::listener front_;
  static inline fuzz::listener upstream_;

  config::settings settings_;
  asio::io_context io_{1};
  app app_;
  std::vector<planned> plan_;
  std::vector<fate> fates_;
  std::optional<fuzz::peer> client_;
  std::vector<std::string> methods_;  // of what this connection has been asked
  std::size_t answered_ = 0;          // of them
  std::deque<std::size_t> awaited_;
  std::map<std::size_t, bool> tried_;
  std::map<std::size_t, std::size_t> forwarded_;
  std::size_t next_ = 0;
  std::list<fuzz::peer> upstreams_;
};

std::size_t descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] auto const& e : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
  return n;
}

void play_once(bool harmless) {
  run r;
  r.play();
  r.check(harmless);
}

void play(bool harmless) {
  static bool const warm = (faults = {}, play_once(true), true);  // what is opened once for all
  ASSERT_TRUE(warm);
  auto const before = descriptors();
  play_once(harmless);
  EXPECT_EQ(descriptors(), before);
}

/// One run for each call that there is.
void fail_each(const injector::errors_by_call& errors, bool harmless) {
  play(true);
  for (std::size_t n = 1;; ++n) {
    faults = {};
    faults.fails = n;
    faults.errors = errors;
    SCOPED_TRACE("failing call " + std::to_string(n));
    play(harmless);
    if (faults.calls < n) {
      EXPECT_GT(n, 100U);
      break;
    }
    if (::testing::Test::HasFailure()) break;
  }
  faults = {};
}

TEST(FailNth, NothingFailsByItself) {
  play(true);
}

TEST(FailNth, ResetsLoseOneAtMost) {
  fail_each({.receive = ECONNRESET, .send = ECONNRESET, .connection = ECONNREFUSED, .option = EINVAL}, false);
}

TEST(FailNth, EndsAndWhatRunsOutLoseOneAtMost) {
  fail_each({.receive = injector::end_of_stream, .send = ENOBUFS, .connection = EMFILE, .option = ENOBUFS}, false);
}

TEST(FailNth, TimeoutsAndNoMemoryLoseOneAtMost) {
  fail_each({.receive = ETIMEDOUT, .send = EPIPE, .connection = ENOMEM, .option = ENOTCONN}, false);
}

TEST(FailNth, InterruptionsAndOptionsLoseNothing) {
  fail_each({.receive = EINTR, .send = EINTR, .connection = injector::none, .option = EINVAL}, true);
}

}  // namespace
}  // namespace cooldown::net
