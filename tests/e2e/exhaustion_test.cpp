// Exhaustion and excess: descriptors, a full disk, addresses, sizes, and signals under load.
#include <csignal>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

std::string chat(bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream));
}

fake_upstream::handler fine() {
  return [](auto const&, tcp_client& c) { return c.send(ok_response(completion())); };
}

/// An event stream of ten pieces, some time apart.
fake_upstream::handler trickle(std::chrono::milliseconds pause) {
  return [pause](auto const&, tcp_client& c) {
    if (!c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"))
      return false;
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(pause);
      if (!c.send("9\r\ndata: 1\n\n\r\n")) return false;
    }
    return c.send("0\r\n\r\n");
  };
}

}  // namespace

TEST(Exhaustion, OutOfDescriptorsPausesAcceptingAndRecovers) {
  fake_upstream upstream(fine());
  proxy p(upstream);
  ASSERT_EQ(p.fetch(chat()).status, 200);
  auto const most = p.program().descriptors() + 10;
  rlimit const few{most, most};
  ASSERT_EQ(::prlimit(p.program().pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  {
    std::vector<tcp_client> many;
    for (int i = 0; i < 40; ++i) many.emplace_back(p.port());
    p.program().wait_for_line("accepting: ");
    // Those who got in are served, if need be without a connection to the provider.
    many[0].send(get_request("/health"));
    EXPECT_EQ(read_response(many[0]).status, 200);
    many[1].send(chat());
    EXPECT_NE(read_response(many[1]).status, 0);
  }
  tcp_client later(p.port());
  later.send(chat());
  EXPECT_EQ(read_response(later).status, 200);
  EXPECT_EQ(p.program().count_lines("accepting: "), 1U) << "said once";
  EXPECT_GE(p.metric("cooldown_accept_errors_total"), 1);
}

TEST(Exhaustion, OutOfDescriptorsIsNoFailureOfTheProvider) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "1"}, {"cerebras.retries", "1"}});
  tcp_client c(p.port());
  c.send(get_request("/health"));
  ASSERT_EQ(read_response(c).status, 200);
  // After the start: then it knows nothing of it, and does not take care.
  auto const most = p.program().descriptors() + 5;
  rlimit const few{most, most};
  ASSERT_EQ(::prlimit(p.program().pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  {
    std::vector<tcp_client> many;
    for (int i = 0; i < 40; ++i) many.emplace_back(p.port());
    p.program().wait_for_line("accepting: ");
    for (auto const& request : {chat(), get_request("/v1/models")}) {
      c.send(request);
      auto const r = read_response(c);
      EXPECT_EQ(r.status, 503);
      EXPECT_EQ(r.field("X-RateLimit-Reason"), "local_failure");
      EXPECT_THAT(r.body, HasSubstr("Too many open files"));
      EXPECT_NE(r.field("Retry-After"), "");
      EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "0");
    }
    p.program().wait_for_line("this machine: connecting to 127.0.0.1: Too many open files");
  }
  c.send(chat());
  auto const r = read_response(c);
  EXPECT_EQ(r.status, 200);
}

TEST(Exhaustion, IdleClientsLeaveDescriptorsForTheProvider) {
  fake_upstream upstream(fine());
  temporary_directory const directory;
  auto const config =
      directory.file("config.yaml", yaml_of(usual_values("http://127.0.0.1:" + std::to_string(upstream.port()))));
  process p("/bin/sh", {"-c", "ulimit -n 100; exec \"$0\" --config \"$1\"", COOLDOWN_PROXY_PROGRAM, config});
  auto const line = p.wait_for_line("listening on http://");
  p.wait_for_line("at most 26 clients are served at once, not 10000");
  auto const port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  auto const request = chat();
  std::vector<tcp_client> busy;
  for (int i = 0; i < 20; ++i) {
    busy.emplace_back(port);
    busy.back().send(request.substr(0, 20));
  }
  std::vector<tcp_client> idle;
  for (int i = 0; i < 150; ++i) idle.emplace_back(port);
  p.wait_for_line("connected, and no more are served at once");
  for (auto& c : busy) c.send(request.substr(20));
  for (auto& c : busy) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(p.count_lines("Too many open files"), 0U);
  p.signal(SIGTERM);
  p.signal(SIGTERM);
}

TEST(Exhaustion, TheLongestIdleClientGivesWayToANewcomer) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.max_connections", "3"}});
  std::vector<tcp_client> idle;
  for (int i = 0; i < 3; ++i) {
    idle.emplace_back(p.port());
    if (i == 1) continue;  // this one never says anything
    idle.back().send(get_request("/health"));
    ASSERT_EQ(read_response(idle.back()).status, 200);
  }
  ASSERT_TRUE(eventually([&] { return p.metric("cooldown_connections_open") >= 3; }));
  tcp_client newcomer(p.port());
  newcomer.send(chat());
  EXPECT_EQ(read_response(newcomer).status, 200);
  EXPECT_TRUE(idle[0].ends());
  EXPECT_TRUE(idle[0].was_closed());
  idle[2].send(get_request("/health"));
  EXPECT_EQ(read_response(idle[2]).status, 200);
  tcp_client another(p.port());
  another.send(get_request("/health"));
  EXPECT_EQ(read_response(another).status, 200);
  EXPECT_TRUE(idle[1].ends());
  EXPECT_EQ(p.program().count_lines("connected, and no more are served at once"), 1U) << "said once";
}

TEST(Exhaustion, NobodyWhoIsBusyGivesWay) {
  event door;
  fake_upstream upstream([&](auto const&, tcp_client& c) { return door.wait() && c.send(ok_response(completion())); });
  release_at_end const release(door);
  proxy p(upstream, {{"server.max_connections", "2"}});
  tcp_client waiting(p.port());
  waiting.send(chat());
  tcp_client sending(p.port());
  auto const request = chat();
  sending.send(request.substr(0, 30));
  ASSERT_TRUE(upstream.wait_for(1));
  tcp_client newcomer(p.port());
  newcomer.send(get_request("/health"));
  p.program().wait_for_line("connected, and no more are served at once");
  EXPECT_EQ(newcomer.read_some(1500ms), "") << "longer than idle ones are kept";
  door.set(2);
  EXPECT_EQ(read_response(waiting).status, 200);
  sending.send(request.substr(30));
  EXPECT_EQ(read_response(sending).status, 200);
  EXPECT_EQ(read_response(newcomer).status, 200);
}

namespace {

/// A connection from another address of this machine.
tcp_client client_from(const char* address, std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM, 0);
  auto at = [](const char* host, std::uint16_t number) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(number);
    EXPECT_EQ(::inet_pton(AF_INET, host, &a.sin_addr), 1);
    return a;
  };
  auto const mine = at(address, 0);
  auto const proxys = at("127.0.0.1", port);
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&mine), sizeof mine), 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&proxys), sizeof proxys), 0);
  return tcp_client(fd);
}

}  // namespace

TEST(Exhaustion, WhoeverSendsSlowlyOnMostPlacesGivesWayToAnotherAddress) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.max_connections", "4"}});
  auto const request = chat();
  std::vector<tcp_client> slow;
  for (int i = 0; i < 4; ++i) {
    slow.emplace_back(p.port());
    slow.back().send(request.substr(0, request.size() - 1));
  }
  std::vector<tcp_client> more;
  for (int i = 0; i < 40; ++i) more.emplace_back(p.port());
  p.program().wait_for_line("connected, and no more are served at once");
  auto other = client_from("127.0.0.2", p.port());
  other.send(request);
  EXPECT_EQ(read_response(other).status, 200);
  EXPECT_TRUE(slow[0].ends()) << "the slowest";
  for (int i = 1; i < 4; ++i) {
    slow[static_cast<std::size_t>(i)].send(request.substr(request.size() - 1));
    EXPECT_EQ(read_response(slow[static_cast<std::size_t>(i)]).status, 200);
  }
}

TEST(Exhaustion, ThePlaceThatGetsFreeIsForTheAddressWithFewest) {
  event open;
  fake_upstream upstream([&](auto const&, tcp_client& c) { return open.wait() && c.send(ok_response(completion())); });
  release_at_end const release(open);
  proxy p(upstream, {{"server.max_connections", "2"}});
  std::vector<tcp_client> crowd;
  for (int i = 0; i < 10; ++i) {
    crowd.emplace_back(p.port());
    crowd.back().send(chat());
    if (i == 1) {
      ASSERT_TRUE(upstream.wait_for(2));
    }
  }
  p.program().wait_for_line("connected, and no more are served at once");
  auto other = client_from("127.0.0.2", p.port());
  other.send(get_request("/health"));
  open.set(1);
  EXPECT_EQ(read_response(other).status, 200);
}

TEST(Exhaustion, FullDiskForTheLogIsNoReasonToStop) {
  fake_upstream upstream(fine());
  temporary_directory const directory;
  auto v = usual_values("http://127.0.0.1:" + std::to_string(upstream.port()));
  auto const port = closed_port();
  v["server.port"] = std::to_string(port);
  auto const config = directory.file("config.yaml", yaml_of(v));
  process p("/bin/sh", {"-c", "exec \"$0\" --config \"$1\" >/dev/full 2>&1", COOLDOWN_PROXY_PROGRAM, config});
  ASSERT_TRUE(eventually([&] {
    try {
      tcp_client const c(port);
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }));
  tcp_client c(port);
  for (int i = 0; i < 100; ++i) {
    c.send(chat());
    ASSERT_EQ(read_response(c).status, 200);
  }
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
}

TEST(Addresses, UnknownNameIs503AndSaid) {
  proxy p("http://no-such-host.invalid:80", {{"cerebras.retries", "0"}});
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_unavailable");
  p.program().wait_for_line("looking up no-such-host.invalid");
}

TEST(Excess, TenThousandFieldsAre431) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.max_header_size", "1MiB"}});
  std::string request = "GET /v1/models HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 10'000; ++i) request += "X-Field-" + std::to_string(i) + ": a\r\n";
  EXPECT_EQ(p.fetch(request + "\r\n").status, 431);
  EXPECT_EQ(upstream.count(), 0U);
}

TEST(Excess, ADeclaredGigabyteIsRefusedUnread) {
  fake_upstream upstream(fine());
  proxy p(upstream);
  ASSERT_EQ(p.fetch(chat()).status, 200);
  auto const before = p.program().memory_kib();
  std::vector<tcp_client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(p.port());
    clients.back().send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n");
  }
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 413);
  if (!sanitized) {
    EXPECT_LT(p.program().memory_kib(), before + 8 * 1024);
  }
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Excess, ThirtyTwoPromisedMegabytesTakeNoMemory) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()), {{"server.body_timeout", "2s"}});
  EXPECT_EQ(p.fetch(get_request("/health")).status, 200);
  auto const before = p.program().memory_kib();
  std::vector<tcp_client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(p.port());
    clients.back().send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 33554432\r\n\r\n{");
  }
  ASSERT_TRUE(eventually([&] { return p.metric("cooldown_connections_open") >= 100; }));
  if (!sanitized) {
    EXPECT_LT(p.program().memory_kib(), before + 16 * 1024);
  }
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 408);
}

TEST(Excess, WhatAFloodTookGoesBackToTheSystem) {
  if (sanitized) GTEST_SKIP() << "sanitizers keep what is freed";
  fake_upstream upstream(fine());
  proxy p(upstream);
  ASSERT_EQ(p.fetch(chat()).status, 200);
  auto const before = p.program().memory_kib();
  std::size_t const size = 9'000'000;
  {
    std::vector<tcp_client> clients;
    for (int i = 0; i < 16; ++i) {
      clients.emplace_back(p.port());
      clients.back().send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " +
                          std::to_string(i) + "\r\nContent-Length: " + std::to_string(size + 1) + "\r\n\r\n" +
                          std::string(size, 'x'));
    }
    ASSERT_TRUE(eventually([&] { return p.program().memory_kib() > before + 100 * 1024; }));
  }
  EXPECT_TRUE(eventually([&] { return p.program().memory_kib() < before + 24 * 1024; }));
}

TEST(UnderLoad, SigtermFinishesEveryStream) {
  fake_upstream upstream(trickle(50ms));
  proxy p(upstream);
  std::vector<tcp_client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat(true));
  }
  ASSERT_TRUE(upstream.wait_for(50));
  p.program().signal(SIGTERM);
  for (auto& c : clients) {
    auto const r = read_response(c);
    EXPECT_TRUE(r.complete);
    EXPECT_EQ(r.body.size(), 90U);
  }
  EXPECT_EQ(p.program().wait(), 0);
}

TEST(UnderLoad, ReloadsLoseNothing) {
  fake_upstream upstream(trickle(10ms));
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "8"}});
  std::vector<tcp_client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat(true));
  }
  for (int i = 0; i < 10; ++i) p.reload({{"cerebras.queue.max_in_flight", i % 2 == 0 ? "4" : "12"}});
  for (auto& c : clients) {
    auto const r = read_response(c);
    EXPECT_TRUE(r.complete) << r.raw_head;
    EXPECT_EQ(r.body.size(), 90U);
  }
  EXPECT_EQ(p.in_flight(), 0U);
  EXPECT_EQ(upstream.count(), 100U);
}

TEST(UnderLoad, AProviderKilledInMidStreamCutsEveryStreamVisibly) {
  auto sim = std::make_unique<process>(
      CEREBRAS_SIM_PROGRAM, std::vector<std::string>{"--listen", "127.0.0.1:0", "--model",
                                                     "m,rpm=1000000,tpm=1000000000", "--reply-tokens", "100000"});
  auto const line = sim->wait_for_line("listening on http://");
  proxy p("http://127.0.0.1:" + line.substr(line.rfind(':') + 1));
  std::vector<tcp_client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(post_request("/v1/chat/completions", chat_body("m", 100'000, true)));
    ASSERT_NE(clients.back().read_until("\r\n\r\n"), "");
  }
  sim.reset();
  for (auto& c : clients) {
    auto const rest = c.read_all();
    EXPECT_EQ(rest.find("\r\n0\r\n\r\n"), std::string::npos) << "never finished politely";
    EXPECT_TRUE(c.was_reset());
  }
  EXPECT_EQ(p.metric("cooldown_answers_cut_total"), 20);
  EXPECT_EQ(p.in_flight(), 0U);
}
