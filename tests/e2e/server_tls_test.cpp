// TLS towards clients: everything that holds on a plain connection holds here, and the certificate can be renewed.
#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/proxy.hpp"
#include "support/tls.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

using options = tls_connection::options;

std::string chat(bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream));
}

values with(const certificate& shown, values more = {}) {
  more["server.tls.certificate_file"] = shown.file;
  more["server.tls.key_file"] = shown.key;
  return more;
}

bool says_ok(const fake_upstream::seen_request& /*unused*/, tcp_client& c) {
  return c.send(ok_response(completion()));
}

std::string pattern(std::size_t size) {
  std::string s(size, ' ');
  for (std::size_t i = 0; i < size; ++i) s[i] = static_cast<char>('a' + i % 23);
  return s;
}

std::string content_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& file, const std::string& content) {
  std::ofstream(file) << content;
}

class ServerTls : public ::testing::Test {
 protected:
  tls_connection connect(const proxy& p, const options& how = {}) const { return {p.port(), ca_.file(), how}; }

  authority ca_;
  certificate shown_ = ca_.sign("DNS:localhost,IP:127.0.0.1");
};

}  // namespace

TEST_F(ServerTls, AnswersRequests) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  EXPECT_EQ(p.program().count_lines("listening on https://"), 1U);
  EXPECT_EQ(p.program().count_lines("the certificate is valid until "), 1U);
  auto c = connect(p);
  EXPECT_EQ(c.version(), "TLSv1.3");
  EXPECT_EQ(c.protocol(), "http/1.1");
  for (int i = 0; i < 3; ++i) {
    c.send(chat());
    auto const r = read_response(c);
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.body, completion());
  }
  EXPECT_EQ(fetch(p.admin_port(), get_request("/healthz")).status, 200) << "plain HTTP as ever";
}

TEST_F(ServerTls, OldVersionsAsConfigured) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  options old;
  old.version = "1.2";
  {
    auto c = connect(p, old);
    EXPECT_EQ(c.version(), "TLSv1.2");
    c.send(chat());
    EXPECT_EQ(read_response(c).status, 200);
  }
  p.reload(with(shown_, {{"server.tls.min_version", "1.3"}}));
  EXPECT_THROW(connect(p, old), std::runtime_error);
  EXPECT_EQ(connect(p).version(), "TLSv1.3");
  EXPECT_TRUE(eventually([&] { return p.metric("cooldown_tls_handshake_failures_total") == 1; }));
}

TEST_F(ServerTls, NoOtherProtocolIsAgreedUpon) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  options h2;
  h2.protocols = "h2";
  EXPECT_THROW(connect(p, h2), std::runtime_error);
  options none;
  none.protocols = "";
  auto c = connect(p, none);
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200);
}

TEST_F(ServerTls, StreamsInLockStep) {
  event read;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t i = 1; i <= 20; ++i)
      if (!c.send("9\r\ndata: x\n\n\r\n") || !read.wait(i)) return false;
    return c.send("0\r\n\r\n");
  });
  release_at_end const release(read);
  proxy p(upstream, with(shown_));
  auto c = connect(p);
  c.send(chat(true));
  EXPECT_THAT(c.read_until("\r\n\r\n"), HasSubstr(" 200 "));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(c.read_until("\n\n\r\n"), "9\r\ndata: x\n\n\r\n") << "before the next is sent";
    read.set();
  }
  EXPECT_EQ(c.read_until("\r\n\r\n"), "0\r\n\r\n");
  EXPECT_LE(c.records(), 23U) << "a piece is a record, not three";
}

TEST_F(ServerTls, SmallAnswerIsOneRecord) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  auto c = connect(p);
  for (std::size_t i = 1; i <= 3; ++i) {
    c.send(chat());
    EXPECT_EQ(read_response(c).status, 200);
    EXPECT_EQ(c.records(), i);
  }
}

TEST_F(ServerTls, LargeBodiesArriveIdentical) {
  auto const body = pattern(8'000'000);
  for (bool const chunked : {false, true}) {
    fake_upstream upstream([&](auto const& r, tcp_client& c) {
      if (!chunked) return c.send(ok_response(r.body));
      return c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7a1200\r\n" + r.body + "\r\n0\r\n\r\n");
    });
    proxy p(upstream, with(shown_));
    auto c = connect(p);
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(c.send(post_request("/v1/files", body)));
      auto const r = read_response(c);
      EXPECT_TRUE(r.complete);
      EXPECT_TRUE(r.body == body) << r.body.size();
    }
  }
}

TEST_F(ServerTls, SlowReaderOfALargeAnswerGetsItAll) {
  auto const body = pattern(8'000'000);
  fake_upstream upstream([&](auto const&, tcp_client& c) { return c.send(ok_response(body)); });
  proxy p(upstream, with(shown_, {{"server.body_timeout", "1s"}}));
  auto c = connect(p);
  c.send(get_request("/v1/x"));
  ::usleep(300'000);
  std::string got = c.read_until("\r\n\r\n");
  got.clear();
  while (got.size() < body.size()) {
    auto const some = c.read_some();
    if (some.empty()) break;
    got += some;
    if (got.size() % 7 == 0) ::usleep(1000);
  }
  EXPECT_TRUE(got == body) << got.size();
}

TEST_F(ServerTls, ClientThatTakesNothingIsLeft) {
  auto const body = pattern(30'000'000);
  fake_upstream upstream([&](auto const&, tcp_client& c) { return c.send(ok_response(body)); });
  proxy p(upstream, with(shown_, {{"server.body_timeout", "300ms"}}));
  auto c = connect(p);
  c.send(get_request("/v1/x"));
  EXPECT_TRUE(eventually([&] { return p.metric("cooldown_clients_gone_total") == 1; }));
  EXPECT_TRUE(c.ends());
  EXPECT_FALSE(c.was_closed()) << "what is missing must not look left out on purpose";
}

TEST_F(ServerTls, PipelinedRequestsAreAnsweredInOrder) {
  fake_upstream upstream([](auto const& r, tcp_client& c) { return c.send(ok_response(r.body)); });
  proxy p(upstream, with(shown_));
  auto c = connect(p);
  std::string all;
  for (int i = 0; i < 10; ++i) all += post_request("/v1/x", "body " + std::to_string(i));
  c.send(all);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(read_response(c).body, "body " + std::to_string(i));
}

TEST_F(ServerTls, RequestsSentDuringAnExchangeWait) {
  event go;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0 && !go.wait()) return false;
    return c.send(ok_response(r.body));
  });
  release_at_end const release(go);
  proxy p(upstream, with(shown_));
  auto c = connect(p);
  c.send(post_request("/v1/x", "first"));
  ASSERT_TRUE(upstream.wait_for(1));
  // Each in a record of its own, which nobody reads as a departure.
  c.send(post_request("/v1/x", "second"));
  ::usleep(50'000);
  c.send(post_request("/v1/x", "third"));
  ::usleep(50'000);
  go.set();
  for (auto const* body : {"first", "second", "third"}) EXPECT_EQ(read_response(c).body, body);
}

TEST_F(ServerTls, NewKeysAreNoDeparture) {
  event go;
  fake_upstream upstream([&](auto const&, tcp_client& c) { return go.wait() && c.send(ok_response(completion())); });
  release_at_end const release(go);
  proxy p(upstream, with(shown_, {{"cerebras.queue.max_in_flight", "1"}}));
  auto first = connect(p);
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  auto c = connect(p);
  c.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  for (int i = 0; i < 5; ++i) {
    c.update_keys();
    ::usleep(10'000);
  }
  EXPECT_EQ(p.queue_length(), 1U);
  go.set(2);
  EXPECT_EQ(read_response(first).status, 200);
  EXPECT_EQ(read_response(c).status, 200);
  c.update_keys();
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200);
}

TEST_F(ServerTls, DepartureGivesTheQueuePlaceBack) {
  event never;
  fake_upstream upstream([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  proxy p(upstream, with(shown_, {{"cerebras.queue.max_in_flight", "1"}}));
  auto first = connect(p);
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  struct way {
    const char* name;
    void (*leave)(tls_connection&);
  };
  double gone = 0;
  for (auto const& [name, leave] :
       {way{"goodbye", [](tls_connection& c) { c.say_goodbye(); }},
        way{"goodbye and FIN",
            [](tls_connection& c) {
              c.say_goodbye();
              c.close();
            }},
        way{"FIN", [](tls_connection& c) { c.shutdown_send(); }}, way{"reset", [](tls_connection& c) { c.reset(); }}}) {
    auto c = connect(p);
    c.send(chat());
    ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; })) << name;
    leave(c);
    EXPECT_TRUE(eventually([&] { return p.queue_length() == 0; })) << name;
    ++gone;
    EXPECT_TRUE(eventually([&] { return p.metric("cooldown_clients_gone_total") == gone; })) << name;
  }
}

TEST_F(ServerTls, DepartureEndsAnExchange) {
  event never;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    return never.wait();
  });
  release_at_end const release(never);
  proxy p(upstream, with(shown_));
  auto c = connect(p);
  c.send(chat(true));
  c.read_until("1\r\nx\r\n");
  EXPECT_EQ(p.in_flight(), 1U);
  c.say_goodbye();
  EXPECT_TRUE(eventually([&] { return p.in_flight() == 0; }));
}

TEST_F(ServerTls, SlowHandshakeIsTimedOut) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_, {{"server.header_timeout", "300ms"}, {"logging.level", "debug"}}));
  tcp_client silent(p.port());
  tcp_client slow(p.port());
  slow.send(std::string("\x16\x03\x01\x02\x00\x01\x00", 7));  // the beginning of a ClientHello
  EXPECT_TRUE(silent.ends());
  EXPECT_TRUE(slow.ends());
  EXPECT_EQ(p.metric("cooldown_tls_handshake_failures_total"), 2);
  p.program().wait_for_line("TLS handshake of 127.0.0.1: timed out");
  auto idle = connect(p);
  EXPECT_TRUE(idle.ends()) << "after the handshake a request is due as well";
  EXPECT_TRUE(idle.was_closed());
}

TEST_F(ServerTls, PlainHttpIsToldSo) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  for (int i = 0; i < 3; ++i) {
    auto const r = p.fetch(chat());
    EXPECT_EQ(r.status, 400);
    EXPECT_EQ(r.field("Connection"), "close");
    EXPECT_THAT(r.body, HasSubstr("https://"));
  }
  EXPECT_EQ(upstream.count(), 0U);
  EXPECT_EQ(p.metric("cooldown_tls_handshake_failures_total"), 3);
}

TEST_F(ServerTls, NonsenseEndsTheConnection) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  for (auto const& bytes :
       {std::string("\r\n\r\n\r\n\r\n"), std::string(20'000, '\0'), std::string(20'000, '\xff'),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), std::string("\x16\x03\x01\x00\x02hi\x16\x03")}) {
    tcp_client c(p.port());
    c.send(bytes);
    c.shutdown_send();
    EXPECT_TRUE(c.ends());
  }
  {
    // And in the middle of a connection.
    auto c = connect(p);
    c.send(chat());
    EXPECT_EQ(read_response(c).status, 200);
    static_cast<tcp_client&>(c).tcp_client::send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(c.ends());
  }
  auto c = connect(p);
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200);
}

TEST_F(ServerTls, ClientThatDoesNotTrustLeaves) {
  fake_upstream upstream(says_ok);
  authority const another("another-ca");
  proxy p(upstream, with(shown_, {{"logging.level", "debug"}}));
  EXPECT_THROW(tls_connection(p.port(), another.file()), std::runtime_error);
  auto c = connect(p);
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200);
}

TEST_F(ServerTls, GateHoldsHereToo) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  for (auto const* head : {"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
                           "GET /v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /v1/x HTTP/1.1\nHost: a\n\n"}) {
    auto c = connect(p);
    c.send(std::string(head) + "0\r\n\r\nGET /v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(read_response(c).status, 400) << head;
    EXPECT_TRUE(c.ends());
    EXPECT_TRUE(c.was_closed());
  }
  EXPECT_EQ(upstream.count(), 0U);
}

TEST_F(ServerTls, OrderlyEndsSayGoodbye) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it");
    return false;
  });
  proxy p(upstream, with(shown_));
  {
    auto c = connect(p);
    c.send("GET /v1/x HTTP/1.0\r\n\r\n");
    auto const r = read_response(c);
    EXPECT_EQ(r.body, "all of it");
    EXPECT_TRUE(c.was_closed());
  }
  {
    auto c = connect(p);
    c.send(get_request("/v1/x", "Connection: close\r\n"));
    EXPECT_TRUE(read_response(c).complete);
    EXPECT_TRUE(c.ends());
    EXPECT_TRUE(c.was_closed());
  }
  auto idle = connect(p);
  idle.send(get_request("/health"));
  EXPECT_EQ(read_response(idle).status, 200);
  p.program().signal(SIGTERM);
  EXPECT_TRUE(idle.ends());
  EXPECT_TRUE(idle.was_closed());
  EXPECT_EQ(p.program().wait(), 0);
}

TEST_F(ServerTls, CutAnswersSayNone) {
  for (auto const* framing : {"Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"}) {
    fake_upstream upstream([&](auto const&, tcp_client& c) {
      c.send(std::string("HTTP/1.1 200 OK\r\n") + framing + "\r\n4\r\nhalf\r\n");
      return false;
    });
    proxy p(upstream, with(shown_));
    for (auto const* version : {"1.0", "1.1"}) {
      auto c = connect(p);
      c.send(std::string("GET /v1/x HTTP/") + version + "\r\nHost: a\r\n\r\n");
      EXPECT_TRUE(c.ends());
      EXPECT_FALSE(c.was_closed()) << framing << version;
    }
  }
}

TEST_F(ServerTls, TicketsResumeSessions) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  for (auto const* version : {"1.2", "1.3"}) {
    options how;
    how.version = version;
    {
      auto c = connect(p, how);
      EXPECT_FALSE(c.resumed());
      c.send(chat());
      EXPECT_EQ(read_response(c).status, 200);
      how.session = c.session();
      c.say_goodbye();
    }
    EXPECT_TRUE(connect(p, how).resumed()) << version;
  }
}

TEST_F(ServerTls, RenewedCertificateIsShownToNewClients) {
  event more;
  event started;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    started.set();
    return more.wait() && c.send("1\r\nb\r\n0\r\n\r\n");
  });
  release_at_end const release(more);
  proxy p(upstream, with(shown_));
  auto streaming = connect(p);
  auto const before = streaming.serial();
  streaming.send(chat(true));
  ASSERT_TRUE(started.wait());
  auto idle = connect(p);
  options resuming;
  idle.send(get_request("/health"));
  EXPECT_EQ(read_response(idle).status, 200);
  resuming.session = idle.session();
  // Under the same names, as tools that renew certificates do it.
  auto const renewed = ca_.sign("DNS:localhost");
  write(shown_.file, content_of(renewed.file));
  write(shown_.key, content_of(renewed.key));
  EXPECT_EQ(connect(p).serial(), before) << "nothing changes without a signal";
  p.reload(with(shown_));
  auto const fresh = connect(p, resuming);
  EXPECT_NE(fresh.serial(), before);
  EXPECT_FALSE(fresh.resumed());
  idle.send(get_request("/health"));
  EXPECT_EQ(read_response(idle).status, 200);
  more.set();
  EXPECT_EQ(read_response(streaming).body, "ab");
}

TEST_F(ServerTls, UnusableRenewalKeepsTheOldCertificate) {
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  auto const before = connect(p).serial();
  auto const good = content_of(shown_.file);
  auto const renewed = ca_.sign("DNS:localhost");
  write(shown_.file, content_of(renewed.file));  // the key is still the old one
  p.reload(with(shown_));
  p.program().wait_for_line("is not the key of server.tls.certificate_file");
  EXPECT_EQ(p.metric("cooldown_reload_failures_total"), 1);
  EXPECT_EQ(connect(p).serial(), before);
  ::unlink(shown_.file.c_str());
  p.reload(with(shown_));
  EXPECT_EQ(p.metric("cooldown_reload_failures_total"), 2);
  auto c = connect(p);
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200);
  write(shown_.file, good);
  p.reload(with(shown_));
  EXPECT_EQ(p.metric("cooldown_reloads_total"), 1);
}

TEST_F(ServerTls, CanBeSwitchedOnAndOff) {
  fake_upstream upstream(says_ok);
  proxy p(upstream);
  tcp_client plain(p.port());
  plain.send(chat());
  EXPECT_EQ(read_response(plain).status, 200);
  p.reload(with(shown_));
  p.program().wait_for_line("new connections use TLS");
  auto c = connect(p);
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200);
  plain.send(chat());
  EXPECT_EQ(read_response(plain).status, 200) << "as it began";
  p.reload({});
  p.program().wait_for_line("new connections use plain text");
  EXPECT_EQ(p.fetch(chat()).status, 200);
  c.send(chat());
  EXPECT_EQ(read_response(c).status, 200) << "as it began";
}

TEST_F(ServerTls, UnusableFilesAreNamedAtTheStart) {
  temporary_directory const d;
  auto const other = ca_.sign("DNS:localhost");
  auto const nonsense = d.file("nonsense.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
  auto const empty = d.file("empty.pem", "");
  auto const locked = d.path("locked.key");
  process lock("/usr/bin/openssl", {"pkey", "-in", shown_.key, "-aes128", "-passout", "pass:secret", "-out", locked});
  ASSERT_EQ(lock.wait(), 0);
  auto const rsa = d.path("rsa.key");
  process make("/usr/bin/openssl", {"genrsa", "-out", rsa, "2048"});
  ASSERT_EQ(make.wait(), 0);
  struct bad {
    std::string certificate, key, said;
  };
  for (auto const& [file, key, said] : {
           bad{d.path("nowhere.pem"), shown_.key,
               "server.tls.certificate_file: " + d.path("nowhere.pem") + ": No such"},
           bad{shown_.file, d.path("nowhere.key"), "server.tls.key_file: " + d.path("nowhere.key") + ": No such"},
           bad{nonsense, shown_.key, "server.tls.certificate_file: " + nonsense + ": no usable PEM certificate"},
           bad{empty, shown_.key, "server.tls.certificate_file: " + empty + ": no usable PEM certificate"},
           bad{shown_.key, shown_.key, "server.tls.certificate_file: " + shown_.key + ": no usable PEM certificate"},
           bad{shown_.file, shown_.file, "server.tls.key_file: " + shown_.file + ": no private key in PEM"},
           bad{shown_.file, locked, "server.tls.key_file: " + locked + ": is locked by a passphrase"},
           bad{shown_.file, other.key, "server.tls.key_file: " + other.key + ": is not the key of"},
           bad{shown_.file, rsa, "server.tls.key_file: " + rsa + ": is not the key of"},
           bad{shown_.file, "", "server.tls.key_file: must be given too"},
           bad{"", shown_.key, "server.tls.certificate_file: must be given too"},
       }) {
    auto v = usual_values("http://127.0.0.1:1");
    if (!file.empty()) v["server.tls.certificate_file"] = file;
    if (!key.empty()) v["server.tls.key_file"] = key;
    auto const config = d.file("config.yaml", yaml_of(v));
    for (auto const& args : {std::vector<std::string>{"-c", config}, {"-c", config, "--check-config"}}) {
      process p(COOLDOWN_PROXY_PROGRAM, args);
      EXPECT_EQ(p.wait(), args.size() == 2 ? 78 : 1) << said;
      EXPECT_THAT(p.output(), HasSubstr(said));
    }
  }
  auto const good = d.file("config.yaml", yaml_of(with(shown_)));
  process p(COOLDOWN_PROXY_PROGRAM, {"-c", good, "--check-config"});
  EXPECT_EQ(p.wait(), 0) << p.output();
}

TEST_F(ServerTls, CurlGetsThrough) {
  constexpr auto curl = "/usr/bin/curl";
  if (::access(curl, X_OK) != 0) GTEST_SKIP() << "no curl";
  fake_upstream upstream(says_ok);
  proxy p(upstream, with(shown_));
  auto const url = "https://localhost:" + std::to_string(p.port()) + "/v1/chat/completions";
  process ask(curl, {"-sS", "--max-time", "20", "--cacert", ca_.file(), "-d", chat_body(), url, url});
  EXPECT_EQ(ask.wait(), 0) << ask.output();
  EXPECT_THAT(ask.output(), HasSubstr(completion()));
  EXPECT_EQ(upstream.count(), 2U);
  EXPECT_EQ(p.metric("cooldown_tls_handshake_failures_total"), 0);
}
