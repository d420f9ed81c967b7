// Streaming, large bodies in both directions, and answers that break off.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace {

const std::string stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& data) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

constexpr std::size_t megabyte = 1'000'000;
constexpr std::size_t large = 100 * megabyte;

/// A piece of a large body; every byte depends on its place.
std::string piece(std::size_t number) {
  std::string text(megabyte, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (number + i / 7) % 26);
  return text;
}

/// Reads `large` bytes and counts those that are not as they should be.
std::size_t wrong_bytes(tcp_client& c) {
  std::size_t wrong = 0;
  std::size_t at = 0;
  std::string expected;
  while (at < large) {
    auto const some = c.read_some();
    if (some.empty()) return large - at;
    for (char const byte : some) {
      if (at % megabyte == 0) expected = piece(at / megabyte);
      wrong += byte == expected[at % megabyte] ? 0U : 1U;
      ++at;
    }
  }
  return wrong;
}

fake_upstream::handler large_answer(event& sent) {
  return [&sent](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
    for (std::size_t i = 0; i < large / megabyte; ++i) {
      if (!c.send(piece(i))) return false;
      sent.set();
    }
    return true;
  };
}

/// KiB that the proxy may grow by while a large body passes. ASan keeps what was freed.
constexpr long most_growth = sanitized ? 1'000'000 : 10'000;

}  // namespace

TEST(Streaming, TwoHundredChunksInLockStep) {
  event confirmed;  // the client has what was sent so far
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send(stream_head);
    for (std::size_t i = 1; i <= 200; ++i) {
      if (!confirmed.wait(i)) return false;
      c.send(chunk("data: {\"n\":" + std::to_string(i) + "}\n\n"));
    }
    if (!confirmed.wait(201)) return false;
    return c.send(chunk("data: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":200,\"total_tokens\":203}}\n\n") +
                  chunk("data: [DONE]\n\n") + "0\r\n\r\n");
  });
  release_at_end const release(confirmed);
  proxy p(upstream);
  tcp_client c(p.port());
  c.send(post_request("/v1/chat/completions", chat_body("m", 300, true)));
  auto const head = c.read_until("\r\n\r\n");
  ASSERT_THAT(head, StartsWith("HTTP/1.1 200")) << "at once, before the first chunk";
  confirmed.set();
  for (std::size_t i = 1; i <= 200; ++i) {
    auto const text = "data: {\"n\":" + std::to_string(i) + "}\n\n";
    ASSERT_THAT(c.read_until(text, 10s), HasSubstr(text));
    confirmed.set();
  }
  auto const rest = c.read_until("0\r\n\r\n");
  EXPECT_THAT(rest, HasSubstr("data: [DONE]\n\n"));
  // The connection is as good as new, and the usage was read.
  c.send(get_request("/health"));
  EXPECT_EQ(read_response(c).status, 200);
  EXPECT_THAT(p.program().wait_for_line("access"), HasSubstr("tokens=203"));
}

TEST(Streaming, LargeAnswerPassesWithoutBeingHeld) {
  event sent;
  fake_upstream upstream(large_answer(sent));
  proxy p(upstream);
  ASSERT_EQ(p.fetch(get_request("/health")).status, 200);
  auto const before = p.program().memory_kib();
  tcp_client c(p.port());
  c.send(get_request("/v1/files/1/content"));
  ASSERT_THAT(c.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(wrong_bytes(c), 0U);
  EXPECT_LT(p.program().memory_kib("VmHWM:") - before, most_growth);
}

TEST(Streaming, SlowReaderHoldsTheUpstreamBack) {
  event sent;
  fake_upstream upstream(large_answer(sent));
  proxy p(upstream);
  ASSERT_EQ(p.fetch(get_request("/health")).status, 200);
  auto const before = p.program().memory_kib();
  tcp_client c(p.port());
  c.send(get_request("/v1/files/1/content"));
  ASSERT_TRUE(sent.wait());
  // Until nothing moves any more: what the kernel's buffers take is taken.
  while (sent.wait(sent.count() + 1, 1s)) continue;
  EXPECT_LT(sent.count(), 40U) << "megabytes that nobody reads";
  EXPECT_EQ(p.fetch(get_request("/health")).status, 200) << "the others are served meanwhile";
  ASSERT_THAT(c.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(wrong_bytes(c), 0U);
  EXPECT_LT(p.program().memory_kib("VmHWM:") - before, most_growth);
}

TEST(Streaming, LargeRequestBodyArrivesIdentical) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream);
  std::string body;
  for (std::size_t i = 0; body.size() < 30 * 1024 * 1024; ++i) body += piece(i);
  body.resize(30 * 1024 * 1024);
  tcp_client counted(p.port());
  counted.send(post_request("/v1/files", body));
  EXPECT_EQ(read_response(counted).status, 200);
  tcp_client chunked(p.port());
  chunked.send("POST /v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (std::size_t at = 0; at < body.size(); at += 777'777) chunked.send(chunk(body.substr(at, 777'777)));
  chunked.send("0\r\n\r\n");
  EXPECT_EQ(read_response(chunked).status, 200);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen[0].body == body);
  EXPECT_TRUE(seen[1].body == body);
}

TEST(Streaming, BodyAboveTheMaximumIsRefused) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream, {{"server.max_body_size", "1MiB"}});
  std::string const body(1024 * 1024 + 1, 'x');
  auto const counted = p.fetch("POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(counted.status, 413);
  EXPECT_EQ(counted.field("X-RateLimit-Reason"), "body_too_large");
  EXPECT_EQ(counted.field("Connection"), "close");
  auto const chunked =
      p.fetch("POST /v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body) + "0\r\n\r\n");
  EXPECT_EQ(chunked.status, 413);
  EXPECT_EQ(upstream.count(), 0U);
  EXPECT_EQ(p.fetch(post_request("/v1/files", body.substr(1))).status, 200) << "exactly the maximum fits";
}

TEST(BrokenAnswer, ChunkedStreamEndsVisiblyBroken) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    c.send(stream_head + chunk("data: 1\n\n"));
    return false;
  });
  proxy p(upstream);
  tcp_client c(p.port());
  c.send(post_request("/v1/chat/completions", chat_body("m", 10, true)));
  auto const r = read_response(c);
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, "data: 1\n\n");
  EXPECT_FALSE(r.complete);
  EXPECT_EQ(upstream.count(), 1U) << "not repeated once its head was passed on";
  EXPECT_THAT(p.program().wait_for_line("access"), HasSubstr(" cut"));
  EXPECT_EQ(p.metric("cooldown_answers_cut_total"), 1);
}

TEST(BrokenAnswer, ShortBodyEndsVisiblyBroken) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    return false;
  });
  proxy p(upstream);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
  EXPECT_EQ(r.field("content-length"), "100");
  EXPECT_FALSE(r.complete);
}

TEST(BrokenAnswer, BadChunkEndsVisiblyBroken) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send(stream_head + chunk("data: 1\n\n") + "zz\r\njunk\r\n0\r\n\r\n");
  });
  proxy p(upstream);
  auto const r = p.fetch(get_request("/v1/x"));
  EXPECT_EQ(r.status, 200);
  EXPECT_FALSE(r.complete);
}

TEST(BrokenAnswer, ResetOfACloseDelimitedBodyReachesHttp10AsReset) {
  event client_has_it;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf");
    client_has_it.wait();
    c.reset();
    return false;
  });
  release_at_end const release(client_has_it);
  proxy p(upstream);
  tcp_client c(p.port());
  c.send("GET /v1/x HTTP/1.0\r\n\r\n");
  auto const head = c.read_until("half");
  EXPECT_THAT(head, HasSubstr("\r\n\r\nhalf"));
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos);
  client_has_it.set();
  EXPECT_EQ(c.read_all(), "");
  EXPECT_TRUE(c.was_reset()) << "a plain end would look complete";
}

TEST(BrokenAnswer, ChunkedStreamToHttp10IsReset) {
  event client_has_it;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send(stream_head + chunk("data: 1\n\n"));
    client_has_it.wait();
    return false;  // a clean end of the connection, but no last chunk
  });
  release_at_end const release(client_has_it);
  proxy p(upstream);
  tcp_client c(p.port());
  c.send("GET /v1/x HTTP/1.0\r\n\r\n");
  EXPECT_THAT(c.read_until("data: 1\n\n"), HasSubstr("data: 1\n\n"));
  client_has_it.set();
  EXPECT_EQ(c.read_all(), "");
  EXPECT_TRUE(c.was_reset());
}

TEST(BrokenAnswer, CompleteCloseDelimitedBodyIsComplete) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it");
    return false;
  });
  proxy p(upstream);
  auto const r = p.fetch(get_request("/v1/x"));
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.body, "all of it");
  EXPECT_EQ(r.field("transfer-encoding"), "chunked");
  auto const old = p.fetch("GET /v1/x HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.complete);
  EXPECT_EQ(old.body, "all of it");
}

TEST(BrokenAnswer, KilledSimulatorEndsTheStreamVisiblyBroken) {
  process sim(CEREBRAS_SIM_PROGRAM,
              {"--listen", "127.0.0.1:0", "--speed", "50", "--reply-tokens", "5000", "--model", "m,tpm=1000000"});
  auto const line = sim.wait_for_line("listening on http://");
  proxy p(line.substr(line.find("http://")));
  tcp_client c(p.port());
  c.send(post_request("/v1/chat/completions", chat_body("m", 5000, true)));
  EXPECT_THAT(c.read_until("data: {"), HasSubstr("HTTP/1.1 200"));
  sim.signal(SIGKILL);
  auto const rest = c.read_all();
  EXPECT_EQ(rest.find("\r\n0\r\n"), std::string::npos) << "no last chunk: not complete";
  EXPECT_EQ(rest.find("[DONE]"), std::string::npos);
  EXPECT_EQ(p.fetch(get_request("/health")).status, 200);
}

TEST(BrokenAnswer, ClientThatLeavesMidStreamEndsTheUpstreamRequest) {
  event gone;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send(stream_head + chunk("data: 1\n\n"));
    if (c.read_some().empty()) gone.set();
    return false;
  });
  proxy p(upstream);
  {
    tcp_client c(p.port());
    c.send(post_request("/v1/chat/completions", chat_body("m", 10, true)));
    EXPECT_THAT(c.read_until("data: 1\n\n"), HasSubstr("data: 1"));
  }
  EXPECT_TRUE(gone.wait()) << "the upstream still generates for nobody";
  EXPECT_TRUE(eventually([&] { return p.in_flight() == 0; }));
  EXPECT_EQ(p.metric("cooldown_clients_gone_total"), 1);
}

TEST(BrokenAnswer, GarbageBecomes502) {
  for (std::string const answer :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"}) {
    fake_upstream upstream([&](auto const&, tcp_client& c) {
      c.send(answer);
      return false;
    });
    proxy p(upstream, {{"cerebras.retries", "0"}});
    auto const r = p.fetch(get_request("/v1/models"));
    EXPECT_EQ(r.status, 502) << answer;
    EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_protocol_error") << answer;
  }
}

TEST(BrokenAnswer, UnaskedBytesEndTheUpstreamConnection) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(ok_response("\"" + std::to_string(r.number) + "\"") +
                  (r.number == 0 ? ok_response("\"poison\"") : ""));
  });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(get_request("/v1/a")).body, "\"0\"");
  EXPECT_EQ(p.fetch(get_request("/v1/b")).body, "\"1\"");
  EXPECT_EQ(upstream.connections(), 2);
}
