// `cooldown-proxy status` with nothing to show says why, and what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"
#include "support/tls.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

constexpr auto not_an_admin_port =
    "that is not an admin port (admin.port of the configuration, or --admin, names it)\n";

std::string url_of(std::uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

/// What it says of this port; it must fail with 69, and name no source file.
std::string said_of(std::uint16_t port, const std::string& config = {}) {
  std::vector<std::string> args{"status", "--admin", url_of(port)};
  if (!config.empty()) args.insert(args.end(), {"-c", config});
  auto const r = run_to_end(COOLDOWN_PROXY_PROGRAM, args, {"HOME=/nowhere"});
  EXPECT_EQ(r.status, 69);
  EXPECT_THAT(r.output, AllOf(EndsWith("\n"), Not(HasSubstr("[")), Not(HasSubstr("/usr/include"))));
  return r.output;
}

/// A server whose answer to everything is `bytes`.
fake_upstream::handler saying(const std::string& bytes) {
  return [bytes](auto const&, tcp_client& c) {
    c.send(bytes);
    return false;
  };
}

class StatusCommand : public ::testing::Test {
 protected:
  fake_upstream upstream_{saying(ok_response(completion()))};
};

}  // namespace

TEST_F(StatusCommand, NothingListens) {
  auto const port = closed_port();
  EXPECT_EQ(said_of(port),
            "cooldown-proxy status: nothing listens on " + url_of(port) + ": is cooldown-proxy running?\n");
}

TEST_F(StatusCommand, TheMainPortIsNoAdminPort) {
  proxy const p(upstream_);
  EXPECT_THAT(said_of(p.port()), AllOf(HasSubstr(url_of(p.port())), EndsWith(not_an_admin_port)));
}

TEST_F(StatusCommand, APortThatSpeaksTlsIsNoAdminPort) {
  authority const ca;
  auto const shown = ca.sign("IP:127.0.0.1");
  proxy const p(upstream_, {{"server.tls.certificate_file", shown.file}, {"server.tls.key_file", shown.key}});
  EXPECT_EQ(said_of(p.port()), "cooldown-proxy status: " + url_of(p.port()) + " speaks TLS: " + not_an_admin_port);
  fake_upstream const alert(saying({"\x15\x03\x03\0\x02\x02\x46", 7}));
  EXPECT_EQ(said_of(alert.port()),
            "cooldown-proxy status: " + url_of(alert.port()) + " speaks TLS: " + not_an_admin_port);
}

TEST_F(StatusCommand, AnotherProgramIsNoAdminPort) {
  for (auto const& bytes : std::vector<std::string>{"", "SSH-2.0-OpenSSH_9.2\r\n", ok_response("<html>"),
                                                    ok_response("{}"), ok_response("", "", 404)}) {
    fake_upstream const other(saying(bytes));
    EXPECT_THAT(said_of(other.port()), AllOf(HasSubstr(url_of(other.port())), EndsWith(not_an_admin_port))) << bytes;
  }
}

TEST_F(StatusCommand, ATokenThatIsMissingOrWrong) {
  proxy const p(upstream_, {{"admin.token", "secret-token"}});
  EXPECT_EQ(said_of(p.admin_port()), "cooldown-proxy status: " + url_of(p.admin_port()) +
                                         " wants admin.token: name the proxy's configuration with --config\n");
  temporary_directory const d;
  EXPECT_EQ(said_of(p.admin_port(), d.file("other.yaml", "admin: {token: another-token}\n")),
            "cooldown-proxy status: " + url_of(p.admin_port()) +
                " does not accept the admin.token of this configuration: name the proxy's own with --config\n");
}

TEST_F(StatusCommand, WhoNeverAnswersIsGivenUp) {
  event ended;
  fake_upstream const mute([&](auto const&, tcp_client&) { return ended.wait(); });
  release_at_end const release(ended);
  EXPECT_THAT(said_of(mute.port()), HasSubstr(url_of(mute.port()) + " accepted the connection and did not answer"));
}

TEST_F(StatusCommand, AnAddressThatIsNoneIsAnErrorOfTheCommandLine) {
  for (auto const* bad : {"nonsense", "https://127.0.0.1:8081", "http://127.0.0.1:8081/status"}) {
    auto const r = run_to_end(COOLDOWN_PROXY_PROGRAM, {"status", "--admin", bad});
    EXPECT_EQ(r.status, 64) << bad;
    EXPECT_THAT(r.output, HasSubstr("--admin: expected http://HOST:PORT"));
  }
}

TEST_F(StatusCommand, WatchingSaysOnceThatNothingAnswersAndRecovers) {
  std::atomic<int> asked = 0;
  proxy const p(upstream_);
  auto const status = fetch(p.admin_port(), get_request("/status")).body;
  fake_upstream admin([&](auto const&, tcp_client& c) {
    c.send(++asked <= 3 ? ok_response("", "", 404) : ok_response(status));
    return false;
  });
  process watch(COOLDOWN_PROXY_PROGRAM, {"status", "--watch", "--admin", url_of(admin.port())});
  watch.wait_for_line("No request has come yet.");
  EXPECT_EQ(watch.count_lines("not an admin port"), 1U);
}

TEST_F(StatusCommand, WatchingOnATerminalAnErrorTakesThePlaceOfWhatWasShown) {
  proxy const p(upstream_);
  auto const status = fetch(p.admin_port(), get_request("/status")).body;
  fake_upstream admin([&](auto const& r, tcp_client& c) {
    c.send(r.number % 3 == 1 ? ok_response("", "", 404) : ok_response(status));
    return false;
  });
  process terminal(
      "/usr/bin/script",
      {"-qec", std::string(COOLDOWN_PROXY_PROGRAM) + " status --watch --admin " + url_of(admin.port()), "/dev/null"});
  ASSERT_TRUE(admin.wait_for(4));
  auto const line = terminal.wait_for_line("not an admin port");
  EXPECT_THAT(line, ::testing::StartsWith("\x1b[H\x1b[2J"
                                          "cooldown-proxy status: "));
}

TEST_F(StatusCommand, AsJsonItSaysWhatTheAdminPortSays) {
  proxy const p(upstream_);
  auto const r =
      run_to_end(COOLDOWN_PROXY_PROGRAM, {"status", "--json", "--admin", url_of(p.admin_port())}, {"HOME=/nowhere"});
  EXPECT_EQ(r.status, 0);
  EXPECT_THAT(r.output, ::testing::StartsWith("{\"schema\":1,"));
}
