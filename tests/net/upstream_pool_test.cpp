// Which address a connection goes to: each in turn, what worked last first, and asked for again after a failure.
#include "cooldown/net/upstream_pool.hpp"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>

#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

using namespace cooldown;
using namespace cooldown::net;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> addresses;  // of "provider.test"
std::atomic<int> lookups = 0;
std::atomic<int> lookup_fails_with = 0;

/// While it is closed, a look-up does not end.
struct gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;
  void set(bool now) {
    std::lock_guard const lock(mutex);
    open = now;
    changed.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open; });
  }
} gate_of_lookups;

}  // namespace

/// In the place of the C library's: no test can write /etc/hosts.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** out) {
  using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static auto const real = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!host || std::string(host) != "provider.test") return real(host, service, hints, out);
  ++lookups;
  gate_of_lookups.pass();
  if (lookup_fails_with != 0) {
    errno = EMFILE;
    return lookup_fails_with;
  }
  if (addresses.empty()) return EAI_NONAME;
  addrinfo** end = out;
  for (auto const& a : addresses) {
    if (auto const failed = real(a.c_str(), service, hints, end)) return failed;
    while (*end) end = &(*end)->ai_next;
  }
  return 0;
}

namespace {

struct UpstreamPool : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
  tcp_socket client{io};
  interrupt ctl{sweep, client};
  std::uint16_t port = 0;

  void SetUp() override {
    lookups = 0;
    lookup_fails_with = 0;
    tcp_acceptor const any(io, {asio::ip::make_address("127.0.0.1"), 0});
    port = any.local_endpoint().port();
  }
  tcp_acceptor listen(const char* address) { return {io, {asio::ip::make_address(address), port}}; }
  pool_settings settings() const {
    pool_settings s;
    s.origin = {.tls = false, .host = "provider.test", .port = port, .prefix = ""};
    s.connect_timeout = 2s;
    return s;
  }

  using acquired = std::variant<upstream_pool::connection_ptr, connect_failure>;
  static task<void> ask(upstream_pool& pool, interrupt& ctl, std::optional<acquired>& out) {
    auto got = co_await pool.acquire(ctl, true);
    out = std::move(got);
  }
  void run_until(const std::function<bool()>& so) {
    io.restart();
    auto const end = steady_now() + 10s;
    while (!so() && steady_now() < end) io.run_one_for(100ms);
  }
  /// The address of a new connection; empty if there is none. `meanwhile` is called once a look-up has begun.
  std::string connect(upstream_pool& pool, const std::function<void()>& meanwhile = nullptr) {
    std::optional<acquired> got;
    auto const before = lookups.load();
    gate_of_lookups.set(!meanwhile);
    asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
    if (meanwhile) {
      run_until([&] { return lookups > before; });
      meanwhile();
      gate_of_lookups.set(true);
    }
    run_until([&] { return got.has_value(); });
    ctl.reset();
    if (!got) ADD_FAILURE() << "no answer";
    auto* const c = got ? std::get_if<upstream_pool::connection_ptr>(&*got) : nullptr;
    return c ? (*c)->socket().remote_endpoint().address().to_string() : "";
  }
};

}  // namespace

TEST_F(UpstreamPool, TriesTheAddressesInTurnAndRemembersWhatWorked) {
  addresses = {"::1", "127.0.0.2", "127.0.0.3"};
  auto const third = listen("127.0.0.3");
  upstream_pool pool(io, sweep, settings());
  EXPECT_EQ(connect(pool), "127.0.0.3");
  auto const second = listen("127.0.0.2");
  EXPECT_EQ(connect(pool), "127.0.0.3");
  EXPECT_EQ(lookups, 1);
}

TEST_F(UpstreamPool, AsksAgainAfterAFailure) {
  addresses = {"127.0.0.2"};
  upstream_pool pool(io, sweep, settings());
  {
    auto const there = listen("127.0.0.2");
    EXPECT_EQ(connect(pool), "127.0.0.2");
  }
  EXPECT_EQ(connect(pool), "");
  addresses = {"127.0.0.3"};
  auto const moved = listen("127.0.0.3");
  EXPECT_EQ(connect(pool), "127.0.0.3");
  EXPECT_EQ(lookups, 2);
}

TEST_F(UpstreamPool, ANameWithoutAddressesIsAFailure) {
  addresses = {};
  upstream_pool pool(io, sweep, settings());
  EXPECT_EQ(connect(pool), "");
  addresses = {"127.0.0.2"};
  auto const there = listen("127.0.0.2");
  EXPECT_EQ(connect(pool), "127.0.0.2");
}

TEST_F(UpstreamPool, AReloadDuringALookUpLeavesNothingOfTheOldProviderBehind) {
  addresses = {"127.0.0.2"};
  auto const old = listen("127.0.0.2");
  auto const present = listen("127.0.0.3");
  upstream_pool pool(io, sweep, settings());
  auto changed = settings();
  changed.origin.host = "127.0.0.3";
  EXPECT_EQ(connect(pool, [&] { pool.configure(changed); }), "127.0.0.3") << "of the settings of now";
  EXPECT_EQ(connect(pool), "127.0.0.3");
}

TEST_F(UpstreamPool, AReloadBetweenTwoNamesAsksForTheNewOne) {
  addresses = {"127.0.0.2"};
  auto const old = listen("127.0.0.2");
  auto const present = listen("127.0.0.1");
  upstream_pool pool(io, sweep, settings());
  auto changed = settings();
  changed.origin.host = "localhost";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(connect(pool, [&] { pool.configure(changed); }), "127.0.0.1");
    EXPECT_EQ(connect(pool), "127.0.0.1");
    pool.configure(settings());
  }
}

TEST_F(UpstreamPool, AFailureOfTheOldProviderIsNoneOfTheNewOne) {
  addresses = {};
  auto const present = listen("127.0.0.3");
  upstream_pool pool(io, sweep, settings());
  auto changed = settings();
  changed.origin.host = "127.0.0.3";
  EXPECT_EQ(connect(pool, [&] { pool.configure(changed); }), "127.0.0.3");
}

TEST_F(UpstreamPool, ErrorsOfThisMachineAreToldFromTheProviders) {
  auto const failure = [&] {
    upstream_pool pool(io, sweep, settings());
    std::optional<acquired> got;
    asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
    run_until([&] { return got.has_value(); });
    ctl.reset();
    return std::get<connect_failure>(*got).local;
  };
  addresses = {};
  EXPECT_FALSE(failure()) << "no such name";
  lookup_fails_with = EAI_AGAIN;
  EXPECT_FALSE(failure());
  for (int const error : {EAI_MEMORY, EAI_SYSTEM}) {
    lookup_fails_with = error;
    EXPECT_TRUE(failure()) << error;
  }
  lookup_fails_with = 0;
  addresses = {"127.0.0.2"};
  EXPECT_FALSE(failure()) << "refused";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit const none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  auto const error = failure();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(error, asio::error::no_descriptors);
}

TEST_F(UpstreamPool, AConnectionMadeForTheOldProviderIsNotKept) {
  addresses = {"127.0.0.2"};
  auto const old = listen("127.0.0.2");
  upstream_pool pool(io, sweep, settings());
  std::optional<acquired> got;
  asio::co_spawn(io, ask(pool, ctl, got), asio::detached);
  run_until([&] { return got.has_value(); });
  auto changed = settings();
  changed.connect_timeout = 3s;
  pool.configure(changed);
  pool.give_back(std::move(std::get<upstream_pool::connection_ptr>(*got)));
  EXPECT_EQ(pool.idle(), 1U) << "the same provider, other settings";
  changed.origin.host = "127.0.0.3";
  pool.configure(changed);
  EXPECT_EQ(pool.idle(), 0U);
}
