// Messages about a client's wrong base URL, and about answers that break off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

fake_upstream::handler not_found() {
  return [](auto const&, tcp_client& c) { return c.send(ok_response("<h1>Not Found</h1>", "", 404)); };
}

std::string chat_at(const std::string& path) {
  return post_request(path, chat_body("m", 10));
}

/// What the log says of an answer that consists of these bytes.
std::string log_of(const std::string& bytes, bool closes, const values& settings = {}) {
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send(bytes);
    return !closes;
  });
  proxy p(upstream, settings);
  tcp_client c(p.port());
  c.send(chat_at("/v1/chat/completions"));
  c.read_all();
  p.program().signal(SIGTERM);
  p.program().wait();
  return p.program().output();
}

}  // namespace

TEST(WrongBaseUrl, A404ForAPathWithoutV1SaysSo) {
  fake_upstream upstream(not_found());
  proxy const p(upstream);
  auto const r = p.fetch(chat_at("/chat/completions"), "POST");
  EXPECT_EQ(r.status, 404);
  EXPECT_THAT(r.body, HasSubstr("add /v1 to the client's base URL"));
  EXPECT_THAT(r.body, HasSubstr("\"code\":\"not_found\""));
  EXPECT_EQ(p.in_flight(), 0U);
}

TEST(WrongBaseUrl, A404ForAPathWithV1TwiceSaysSo) {
  fake_upstream upstream(not_found());
  proxy const p(upstream);
  EXPECT_THAT(p.fetch(chat_at("/v1/v1/chat/completions"), "POST").body,
              HasSubstr("leave /v1 out of the client's base URL"));
  EXPECT_THAT(p.fetch(get_request("/v1/v1/models")).body, HasSubstr("leave /v1 out of the client's base URL"));
}

TEST(WrongBaseUrl, TheProvidersOwn404sPass) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.body.find("\"m\"") != std::string::npos ? ok_response(completion())
                                                            : ok_response("{\"error\":\"no such model\"}", "", 404));
  });
  proxy const p(upstream);
  auto const unknown = [&](const std::string& path) {
    return p.fetch(post_request(path, chat_body("none", 10)), "POST").body;
  };
  EXPECT_THAT(unknown("/v1/chat/completions"), HasSubstr("no such model"));
  EXPECT_EQ(p.fetch(chat_at("/chat/completions"), "POST").status, 200) << "some providers serve paths without /v1";
  EXPECT_THAT(unknown("/chat/completions"), HasSubstr("no such model"));
}

TEST(CutAnswers, TheLogSaysHow) {
  EXPECT_THAT(log_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", true),
              HasSubstr("broke off: its connection ended before it was complete"));
  EXPECT_THAT(log_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false),
              HasSubstr("broke off: its chunks are malformed"));
  EXPECT_THAT(log_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", false, {{"cerebras.timeouts.idle", "200ms"}}),
              HasSubstr("broke off: nothing came for timeouts.idle"));
}
