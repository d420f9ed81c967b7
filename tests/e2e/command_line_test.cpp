// The command line: the source of the configuration, options that override it, and the commands.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

ended_process run(const std::vector<std::string>& args, const std::vector<std::string>& env = {}) {
  return run_to_end(COOLDOWN_PROXY_PROGRAM, args, env);
}

fake_upstream::handler fine() {
  return [](auto const&, tcp_client& c) { return c.send(ok_response(completion())); };
}

class CommandLine : public ::testing::Test {
 protected:
  temporary_directory directory_;
  fake_upstream upstream_{fine()};
  std::string good_ =
      directory_.file("good.yaml", yaml_of(usual_values("http://127.0.0.1:" + std::to_string(upstream_.port()))));
};

}  // namespace

TEST_F(CommandLine, PrintConfigPrintsWhatItTakes) {
  auto const file = directory_.file("all.yaml",
                                    "server: {port: 0, auth_tokens: [first-token, second-token]}\n"
                                    "cerebras:\n"
                                    "  api_key: csk-never-shown\n"
                                    "  limits: {default: {rpm: 30}, \"odd: model\": {tpd: 1000000}}\n"
                                    "  clients: [{match: {credential: team-key, address: 10.0.0.0/8}, weight: 2.5}]\n"
                                    "  queue: {keepalive_after: 20s, fair_share_by: [user]}\n");
  auto const printed = run({"print-config", "-c", file});
  ASSERT_EQ(printed.status, 0) << printed.output;
  for (auto const* secret : {"csk-never-shown", "first-token", "team-key"})
    EXPECT_THAT(printed.output, Not(HasSubstr(secret)));
  EXPECT_THAT(printed.output, HasSubstr("keepalive_after: 20s"));
  EXPECT_THAT(printed.output, HasSubstr("10.0.0.0/8"));
  // What it prints is a configuration, and prints the same again.
  auto const again = run({"print-config", "-c", directory_.file("again.yaml", printed.output)});
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(again.output.substr(again.output.find('\n')), printed.output.substr(printed.output.find('\n')));
}

TEST_F(CommandLine, CheckWarnsOfSecretsThatEveryUserCanRead) {
  namespace fs = std::filesystem;
  auto const file = directory_.file("secret.yaml", "cerebras: {api_key: csk-never-shown}\n");
  auto const permit = [&](fs::perms p) { fs::permissions(file, p); };
  permit(fs::perms::owner_read | fs::perms::others_read);
  auto const warned = run({"check", "-c", file});
  EXPECT_EQ(warned.status, 0) << "it is no error";
  EXPECT_THAT(warned.output, HasSubstr("warning: every user of this machine can read " + file));
  EXPECT_THAT(warned.output, Not(HasSubstr("csk-never-shown")));
  permit(fs::perms::owner_read);
  EXPECT_THAT(run({"check", "-c", file}).output, Not(HasSubstr("warning")));
  auto const by_name = directory_.file("by-name.yaml", "cerebras: {api_key: '${CEREBRAS_API_KEY}'}\n");
  fs::permissions(by_name, fs::perms::owner_read | fs::perms::others_read);
  EXPECT_THAT(run({"check", "-c", by_name}, {"CEREBRAS_API_KEY=csk-never-shown"}).output, Not(HasSubstr("warning")));
}

TEST_F(CommandLine, WithoutAFileTheDefaultsHoldAndAreSaid) {
  auto const printed = run({"print-config"}, {"HOME=" + directory_.path("nobody"), "CEREBRAS_API_KEY=csk-1"});
  EXPECT_EQ(printed.status, 0);
  EXPECT_THAT(printed.output, HasSubstr("no configuration file (config.yaml, "));
  EXPECT_THAT(printed.output, HasSubstr("api_key: \"***\""));
  EXPECT_THAT(printed.output, HasSubstr("base_url: https://api.cerebras.ai"));
  EXPECT_THAT(printed.output, HasSubstr("use_headers: true"));
}

TEST_F(CommandLine, AFileOfOtherThingsSchedulesAsNoFileDoes) {
  auto const file = directory_.file("one.yaml", "server: {port: 0}\n");
  auto const printed = run({"print-config", "-c", file}, {"CEREBRAS_API_KEY=csk-1"});
  EXPECT_THAT(printed.output, HasSubstr("api_key: \"***\""));
  EXPECT_THAT(printed.output, HasSubstr("use_headers: true"));
  EXPECT_EQ(run({"check", "-c", file}).output, file + ": OK\n");
}

TEST_F(CommandLine, CheckSaysWhenStaticLimitsDecideAndHowToChangeThat) {
  auto const check = [&](const std::string& yaml, const std::vector<std::string>& env = {}) {
    auto const file = directory_.file("static.yaml", yaml);
    auto const r = run({"check", "-c", file}, env);
    EXPECT_EQ(r.status, 0) << r.output;
    EXPECT_THAT(r.output, ::testing::StartsWith(file + ": OK\n" + file + ": static limits decide"));
    return r.output;
  };
  auto const clients = check("cerebras: {rpm_limit: 10, tpm_limit: 9000}\n");
  EXPECT_THAT(clients, HasSubstr(": 10 requests and 9000 tokens a minute;"));
  EXPECT_THAT(clients, HasSubstr("each client's own key is sent to api.cerebras.ai;"));
  EXPECT_THAT(clients, HasSubstr("set use_headers: true under cerebras.rate_limits to let"));
  EXPECT_THAT(check("cerebras: {}\n", {"CEREBRAS_API_KEY=csk-1"}), HasSubstr("the key in CEREBRAS_API_KEY is sent to"));
  EXPECT_THAT(check("cerebras: {api_key: csk-1, limits: {m: {rpd: 9}}}\n"),
              ::testing::AllOf(HasSubstr("the key in cerebras.api_key is sent to"),
                               HasSubstr("those of cerebras.limits"), Not(HasSubstr("csk-1"))));
  auto const off = check("feature_flags: {header_based_rate_limiting: false}\n");
  EXPECT_THAT(off, HasSubstr("set header_based_rate_limiting: true under feature_flags to let"));
  EXPECT_THAT(off, Not(HasSubstr("use_headers")));
}

TEST_F(CommandLine, EveryAccountIsSaidWithItsLimitsAndWhoseKeyItHas) {
  auto const file = directory_.file("several.yaml",
                                    "server: {port: 0}\nadmin: {port: 0}\n"
                                    "cerebras: {api_keys: [csk-1, csk-2], rate_limits: {use_headers: true}}\n"
                                    "upstreams:\n"
                                    "  - {name: b, base_url: 'https://b.example', api_key: csk-3, rpm_limit: 7,\n"
                                    "     rate_limits: {use_headers: false}}\n"
                                    "  - {name: c, base_url: 'https://c.example', limits: {m: {rpd: 9}}}\n"
                                    "  - {name: d, base_url: 'https://d.example', pass_client_key: true}\n");
  auto const says_all = [](const std::string& text) {
    for (auto const* const part :
         {"cerebras/1: the provider's rate-limit headers decide",
          "key 1 of cerebras.api_keys is sent to api.cerebras.ai",
          "cerebras/2: the provider's rate-limit headers decide", "key 2 of cerebras.api_keys is sent",
          "b: static limits decide when requests are sent: 7 requests and 60000 tokens a minute; the key in "
          "upstreams[0].api_key is sent to b.example; set use_headers: true under upstreams[0].rate_limits",
          "c: the provider's", "and those of upstreams[1].limits; no key is sent to c.example", "d: the provider's",
          "each client's own key is sent to d.example"})
      EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(text, Not(HasSubstr("csk-")));
  };
  auto const r = run({"check", "-c", file});
  EXPECT_EQ(r.status, 0);
  says_all(r.output);
  process p(COOLDOWN_PROXY_PROGRAM, {"-c", file});
  p.wait_for_line("admin on");
  says_all(p.output());
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
}

TEST_F(CommandLine, CheckWarnsOfOneAccountInTwoUpstreams) {
  auto const check = [&](const std::string& url) {
    auto const file = directory_.file("shared.yaml",
                                      "cerebras: {api_keys: [csk-one, csk-two]}\n"
                                      "upstreams: [{name: b, base_url: '" +
                                          url + "', api_key: csk-two}]\n");
    auto const r = run({"check", "-c", file});
    EXPECT_EQ(r.status, 0) << r.output;
    EXPECT_THAT(r.output, Not(HasSubstr("csk-")));
    return r.output;
  };
  EXPECT_THAT(check("https://api.cerebras.ai"), HasSubstr("warning: cerebras/2 and b send the same key to "));
  EXPECT_THAT(check("https://b.example"), Not(HasSubstr("warning: cerebras")));
}

TEST_F(CommandLine, TheStartAndAReloadSayWhoDecides) {
  auto const base = "server: {port: 0}\nadmin: {port: 0}\n";
  auto const file = directory_.file("config.yaml", base);
  process p(COOLDOWN_PROXY_PROGRAM, {"-c", file}, {"CEREBRAS_API_KEY=csk-1"});
  EXPECT_THAT(
      p.wait_for_line("decide when requests are sent"),
      ::testing::EndsWith("the provider's rate-limit headers decide when requests are sent; without them, static "
                          "limits of 30 requests and 60000 tokens a minute; the key in CEREBRAS_API_KEY is sent "
                          "to api.cerebras.ai"));
  p.wait_for_line("admin on");
  directory_.file("config.yaml", std::string(base) + "cerebras: {rpm_limit: 7, api_key: ''}\n");
  p.signal(SIGHUP);
  EXPECT_THAT(
      p.wait_for_line("static limits decide"),
      HasSubstr(": 7 requests and 60000 tokens a minute; each client's own key is sent to api.cerebras.ai; set "));
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
}

TEST_F(CommandLine, TheProviderIsNotTheProxyItself) {
  for (auto const* url : {"http://localhost:8080", "http://127.0.0.1:8081/v1"}) {
    auto const refused = run({"check", "--upstream", url}, {"HOME=/nowhere", "XDG_CONFIG_HOME="});
    EXPECT_EQ(refused.status, 78) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr("cerebras.base_url: must be the provider's address"));
  }
  auto const at = std::to_string(closed_port());
  auto const chained =
      directory_.file("chained.yaml", "admin: {port: 0}\ncerebras: {base_url: http://127.0.0.1:8080}\n");
  EXPECT_EQ(run({"check", "-c", chained, "--listen", at}).status, 0) << "the other proxy may be on the usual port";
  EXPECT_EQ(run({"run", "-c", chained, "--", "true"}).status, 0) << "this one takes a free port";
  EXPECT_EQ(run({"-c", good_, "--listen", at, "--upstream", "http://localhost:" + at}).status, 78)
      << "nor does it start";
}

TEST_F(CommandLine, TheFileIsLookedForWhereConfigurationsAre) {
  auto const home = directory_.path("home");
  std::filesystem::create_directories(home + "/.config/cooldown-proxy");
  std::ofstream(home + "/.config/cooldown-proxy/config.yaml") << "server: {port: 4711}\n";
  EXPECT_THAT(run({"print-config"}, {"HOME=" + home, "XDG_CONFIG_HOME="}).output, HasSubstr("port: 4711"));
  EXPECT_THAT(run({"print-config"}, {"HOME=/nowhere", "XDG_CONFIG_HOME=" + home + "/.config"}).output,
              HasSubstr("# configuration: " + home + "/.config/cooldown-proxy/config.yaml"));
}

TEST_F(CommandLine, OptionsStandAboveTheFile) {
  auto const r = run({"print-config", "-c", good_, "--listen", "[::1]:4712", "--upstream", "https://llm.example/base",
                      "--log-level", "debug"});
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_THAT(r.output, HasSubstr("port: 4712"));
  EXPECT_THAT(r.output, HasSubstr("base_url: https://llm.example/base"));
  EXPECT_THAT(r.output, HasSubstr("level: debug"));
  for (auto const& bad : std::vector<std::vector<std::string>>{
           {"--listen", "70000"}, {"--upstream", "ftp://x"}, {"--log-level", "loud"}}) {
    auto const refused = run({"check", "-c", good_, bad[0], bad[1]});
    EXPECT_EQ(refused.status, 64);
    EXPECT_THAT(refused.output, HasSubstr(bad[0] + ": must be"));
  }
}

TEST_F(CommandLine, CheckSaysOk) {
  EXPECT_EQ(run({"check", "-c", good_}).output, good_ + ": OK\n");
}

TEST_F(CommandLine, ExitCodesAreThoseOfSysexits) {
  EXPECT_EQ(run({"--no-such-option"}).status, 64);
  EXPECT_EQ(run({"completion", "tcsh"}).status, 64);
  proxy const first(upstream_);
  EXPECT_EQ(run({"-c", good_, "--listen", "127.0.0.1:" + std::to_string(first.port())}).status, 69);
  EXPECT_EQ(run({"status", "--admin", "http://127.0.0.1:" + std::to_string(closed_port())}).status, 69);
  EXPECT_EQ(run({"status", "--admin", "nonsense"}).status, 64);
}

TEST_F(CommandLine, StatusShowsWhatTheProxyDoes) {
  proxy p(upstream_);
  auto const at = "http://127.0.0.1:" + std::to_string(p.admin_port());
  EXPECT_THAT(run({"status", "--admin", at}).output, HasSubstr("No request has come yet."));
  p.fetch(post_request("/v1/chat/completions", chat_body("model-\\u001b[31m", 10), ""));
  auto const shown = run({"status", "--admin", at});
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.output, HasSubstr("0 waiting, 0 at the provider, circuit breaker CLOSED"));
  EXPECT_THAT(shown.output, HasSubstr("200  model-"));
  EXPECT_THAT(shown.output, Not(HasSubstr("\x1b"))) << "no colours in a pipe, and none that a client chose";
}

TEST_F(CommandLine, StatusNamesTheLimitThatBindsAndPromisesNoTimeWhilePaused) {
  proxy p(upstream_, {{"cerebras.rate_limits.use_headers", "false"}, {"cerebras.rpm_limit", "1"}});
  auto const at = "http://127.0.0.1:" + std::to_string(p.admin_port());
  auto const chat = [](const char* model) { return post_request("/v1/chat/completions", chat_body(model, 10)); };
  std::vector<std::unique_ptr<tcp_client>> waiting;
  for (auto const* model : {"model-a", "model-b"}) {
    EXPECT_EQ(p.fetch(chat(model)).status, 200);
    for (int i = 0; i < 6; ++i) {
      waiting.push_back(std::make_unique<tcp_client>(p.port()));
      waiting.back()->send(chat(model));
    }
  }
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 12; }));
  std::string const pause = R"({"model":"model-a"})";
  EXPECT_EQ(fetch(p.admin_port(), post_request("/scopes/pause", pause)).status, 200);
  auto const shown = run({"status", "--admin", at}).output;
  EXPECT_THAT(shown, HasSubstr("0 of 1 requests/min"));
  auto const next = shown.substr(shown.find("Next to be sent"));
  EXPECT_LT(next.rfind("model-b  ", next.find("when the model is resumed")), next.find("model-a  ")) << shown;
  EXPECT_GT(next.find("sent when the model is resumed"), next.rfind("sent in ")) << "last" << shown;
  EXPECT_THAT(next, HasSubstr("\n      and 2 more\n"));
}

TEST_F(CommandLine, StatusSendsTheTokenOfTheConfiguration) {
  proxy p(upstream_, {{"admin.token", "secret-token"}});
  auto const at = "http://127.0.0.1:" + std::to_string(p.admin_port());
  EXPECT_EQ(run({"status", "--admin", at}, {"HOME=/nowhere"}).status, 69);
  EXPECT_EQ(run({"status", "--admin", at, "-c", p.config_path()}).status, 0);
}

TEST_F(CommandLine, CompletionsAndManualAreMadeFromTheOptions) {
  for (auto const* shell : {"bash", "zsh", "fish"}) {
    auto const script = run({"completion", shell});
    EXPECT_EQ(script.status, 0);
    for (auto const* word : {"print-config", "check-config", "upstream", "watch"})
      EXPECT_THAT(script.output, HasSubstr(word)) << shell;
  }
  auto const script = directory_.file("completion", run({"completion", "bash"}).output);
  process bash("/bin/bash", {"-c", "source " + script +
                                       "; COMP_WORDS=(cooldown-proxy st); COMP_CWORD=1; _cooldown_proxy_complete; echo "
                                       "\"got ${COMPREPLY[*]}\""});
  EXPECT_EQ(bash.wait(), 0);
  EXPECT_THAT(bash.output(), HasSubstr("got status\n"));
  auto const manual = run({"manual"});
  EXPECT_THAT(manual.output, HasSubstr(".TH COOLDOWN"));
  EXPECT_THAT(manual.output, HasSubstr("print\\-config"));
}

TEST_F(CommandLine, FilesThatAConfigurationNamesAreToldWithTheirPlaceInIt) {
  auto const of = [&](const std::string& yaml) {
    auto const file = directory_.file("named.yaml", yaml);
    auto const r = run({"check", "-c", file});
    EXPECT_EQ(r.status, 78);
    return r.output.substr(std::min(r.output.size(), file.size()));
  };
  EXPECT_THAT(of("cerebras:\n  tls: {ca_file: /nowhere/ca.pem}\n"),
              HasSubstr(":2:18: cerebras.tls.ca_file: /nowhere/ca.pem: No such file"));
  EXPECT_THAT(
      of("upstreams:\n  - name: second\n    base_url: https://second.example\n    tls: {ca_file: /nowhere/ca.pem}\n"),
      HasSubstr(":4:20: upstreams[0].tls.ca_file: /nowhere/ca.pem: No such file"));
  EXPECT_THAT(of("logging:\n  file: /nowhere/p.log\n"), HasSubstr(":2:9: logging.file: /nowhere/p.log: there is no"));
  EXPECT_THAT(of("server:\n  tls:\n    certificate_file: /nowhere/c.pem\n    key_file: /nowhere/k.pem\n"),
              HasSubstr(":3:23: server.tls.certificate_file: /nowhere/c.pem: No such file"));
}

TEST_F(CommandLine, TheLogFileIsOpenedAgainAtSigusr1) {
  auto const file = directory_.path("proxy.log");
  auto v = usual_values("http://127.0.0.1:" + std::to_string(upstream_.port()));
  v["logging.file"] = file;
  process p(COOLDOWN_PROXY_PROGRAM, {"-c", directory_.file("c.yaml", yaml_of(v))});
  auto const holds = [](const std::string& name, const std::string& text) {
    std::ifstream in(name);
    return std::string(std::istreambuf_iterator<char>(in), {}).find(text) != std::string::npos;
  };
  ASSERT_TRUE(eventually([&] { return holds(file, "admin on"); }));
  std::filesystem::rename(file, file + ".1");
  p.signal(SIGUSR1);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(file); }));
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
  EXPECT_TRUE(holds(file, "draining"));
  EXPECT_FALSE(holds(file + ".1", "draining"));
  v["logging.file"] = "/proc/nowhere/proxy.log";
  auto const refused = run({"-c", directory_.file("d.yaml", yaml_of(v))});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output, HasSubstr("logging.file: "));
}

namespace {

/// The socket that a service manager gives its services (sd_notify(3)).
class notify_socket {
 public:
  explicit notify_socket(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    timeval const limit{.tv_sec = 30, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~notify_socket() { close(fd_); }
  notify_socket(const notify_socket&) = delete;
  notify_socket& operator=(const notify_socket&) = delete;

  /// The next message that is not of the watchdog's, or one that is.
  std::string next(bool watchdog = false) {
    for (;;) {
      std::string text(4096, '\0');
      auto const n = recv(fd_, text.data(), text.size(), 0);
      if (n <= 0) return "nothing came";
      text.resize(static_cast<std::size_t>(n));
      if ((text == "WATCHDOG=1") == watchdog) return text;
    }
  }

 private:
  int fd_;
};

}  // namespace

TEST_F(CommandLine, AServiceManagerIsToldEveryState) {
  auto const path = directory_.path("notify");
  notify_socket manager(path);
  process p(COOLDOWN_PROXY_PROGRAM, {"-c", good_}, {"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"});
  EXPECT_THAT(manager.next(), HasSubstr("READY=1\nSTATUS=Listening on http://127.0.0.1:"));
  EXPECT_EQ(manager.next(true), "WATCHDOG=1");
  EXPECT_EQ(manager.next(true), "WATCHDOG=1");
  p.signal(SIGHUP);
  EXPECT_THAT(manager.next(), HasSubstr("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_THAT(manager.next(), HasSubstr("READY=1"));
  p.signal(SIGTERM);
  EXPECT_THAT(manager.next(), HasSubstr("STOPPING=1"));
  EXPECT_EQ(p.wait(), 0);
}

TEST_F(CommandLine, SocketsOfAServiceManagerAreTaken) {
  // systemd-socket-activate(1) in a few lines: descriptors 3 and 4, and the variables of sd_listen_fds(3).
  auto const script = directory_.file("activate.py", R"(
import os, socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print("ports", *[s.getsockname()[1] for s in sockets], flush=True)
high = [os.dup2(s.fileno(), 50 + i) for i, s in enumerate(sockets)]
for i, fd in enumerate(high): os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="clients:admin")
os.execv(sys.argv[1], sys.argv[1:])
)");
  process p("/usr/bin/env", {"python3", script, COOLDOWN_PROXY_PROGRAM, "-c", good_});
  std::istringstream ports(p.wait_for_line("ports ").substr(6));
  int clients = 0;
  int admin = 0;
  ports >> clients >> admin;
  p.wait_for_line("listening on http://127.0.0.1:" + std::to_string(clients));
  EXPECT_EQ(fetch(static_cast<std::uint16_t>(clients), post_request("/v1/chat/completions", chat_body())).status, 200);
  EXPECT_EQ(fetch(static_cast<std::uint16_t>(admin), get_request("/readyz")).status, 200);
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
}

TEST_F(CommandLine, ASocketOfAServiceManagerThatIsNotTcpIsRefused) {
  auto const script = directory_.file("activate.py", R"(
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
high = os.dup2(s.fileno(), 50)
os.dup2(high, 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="clients")
os.execv(sys.argv[2], sys.argv[2:])
)");
  auto const r =
      run_to_end("/usr/bin/env", {"python3", script, directory_.path("socket"), COOLDOWN_PROXY_PROGRAM, "-c", good_});
  EXPECT_EQ(r.status, 70);
  EXPECT_THAT(r.output, HasSubstr("descriptor 3 ('clients') is no listening TCP socket"));
}

TEST_F(CommandLine, ANumberOfSocketsThatIsNoneIsRefused) {
  for (auto const* count : {"two", "-1", "1.5", "18446744073709551617"}) {
    auto const r = run_to_end("/bin/sh", {"-c", "exec env LISTEN_PID=$$ LISTEN_FDS=" + std::string(count) +
                                                    " " COOLDOWN_PROXY_PROGRAM " -c " + good_});
    EXPECT_EQ(r.status, 70) << count;
    EXPECT_THAT(r.output, HasSubstr(std::string("LISTEN_FDS is '") + count + "', which is not a number"));
  }
}

TEST_F(CommandLine, AHostNameIsListenedOnAtEveryAddressThatItHas) {
  std::vector<std::string> const in_a_namespace{"--map-root-user", "--mount", "sh", "-c"};
  auto const with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), in_a_namespace.begin(), in_a_namespace.end());
    return more;
  };
  auto const hosts = directory_.file("hosts",
                                     "127.0.0.1 proxy.test\n"
                                     "198.51.100.7 proxy.test\n"  // not of this machine: passed over
                                     "127.0.0.2 proxy.test\n");
  auto const bind = "mount --bind " + hosts + " /etc/hosts";
  if (run_to_end("/usr/bin/unshare", with({bind})).status != 0) GTEST_SKIP() << "no mount namespaces here";
  auto v = usual_values("http://127.0.0.1:" + std::to_string(upstream_.port()));
  v["server.host"] = "proxy.test";
  v["server.auth_tokens"] = "[secret-token]";
  auto const config = directory_.file("named.yaml", yaml_of(v));
  process p("/usr/bin/unshare", with({bind + " && exec " COOLDOWN_PROXY_PROGRAM " -c " + config}));
  p.wait_for_line("admin on ");
  auto const first = p.wait_for_line("listening on http://127.0.0.1:");
  auto const port = first.substr(first.rfind(':'));
  EXPECT_EQ(p.count_lines("listening on http://127.0.0.2" + port), 1U);
  EXPECT_EQ(p.count_lines("listening on"), 2U);
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
}

TEST_F(CommandLine, AnOptionThatIsWrongIsSaidWithWhatItExpects) {
  auto const port = "expected a port or HOST:PORT, such as 8080 or 127.0.0.1:8080; got '127.0.0.1'";
  for (auto const& [args, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"check", "--listen", "127.0.0.1"}, std::string("--listen: ") + port},
           {{"check", "--admin-listen", "127.0.0.1"}, std::string("--admin-listen: ") + port},
           {{"check", "--listen", "99999"}, "--listen: "},
           {{"check", "--upstream", "x"}, "--upstream: "},
           {{"check", "--log-level", "x"}, "--log-level: "}}) {
    auto const r = run(args, {"HOME=/nowhere", "XDG_CONFIG_HOME="});
    EXPECT_EQ(r.status, 64) << r.output;
    EXPECT_THAT(r.output, HasSubstr(said));
  }
}

TEST_F(CommandLine, TheAdminPortCanBeNamedToo) {
  auto const r = run({"print-config", "-c", good_, "--admin-listen", "[::1]:9999"});
  EXPECT_THAT(r.output, ::testing::ContainsRegex("admin:\n  host: \"?::1\"?\n  port: 9999"));
}

TEST_F(CommandLine, HelpOfOneCommandAndOfAll) {
  EXPECT_EQ(run({"help"}).output, run({"--help"}).output);
  EXPECT_THAT(run({"help", "status"}).output, HasSubstr("--watch"));
  auto const unknown = run({"help", "nothing"});
  EXPECT_EQ(unknown.status, 64);
  EXPECT_THAT(unknown.output, HasSubstr("no command 'nothing'"));
}

TEST_F(CommandLine, CompletionKnowsShellsLevelsAndCommands) {
  for (auto const* shell : {"bash", "zsh", "fish"})
    EXPECT_THAT(run({"completion", shell}).output, HasSubstr("bash zsh fish")) << shell;
  EXPECT_THAT(run({"completion", "bash"}).output, HasSubstr("trace debug info warn error"));
}

TEST_F(CommandLine, ALogFileThatCannotBeWrittenIsAnErrorOfTheConfiguration) {
  auto const with = [&](const std::string& log) {
    return directory_.file("log.yaml", "server: {port: 0}\nadmin: {port: 0}\nlogging: {file: " + log + "}\n");
  };
  auto const missing = directory_.path("missing") + "/proxy.log";
  for (auto const& [log, why] : std::vector<std::pair<std::string, std::string>>{
           {missing, "there is no directory " + directory_.path("missing")}, {directory_.path(""), "is a directory"}})
    for (auto const& args : std::vector<std::vector<std::string>>{{"check", "-c", with(log)}, {"-c", with(log)}}) {
      auto const r = run(args);
      EXPECT_EQ(r.status, 78) << r.output;
      EXPECT_THAT(r.output, HasSubstr("logging.file: " + log + ": " + why));
    }
  EXPECT_FALSE(std::filesystem::exists(directory_.path("missing")));
}

TEST_F(CommandLine, ManyProblemsAreCounted) {
  std::string text = "server:\n";
  for (int i = 0; i < 300; ++i) text += "  nonsense_" + std::to_string(i) + ": 1\n";
  auto const r = run({"check", "-c", directory_.file("bad.yaml", text)});
  EXPECT_EQ(std::count(r.output.begin(), r.output.end(), '\n'), 21);
  EXPECT_THAT(r.output, ::testing::EndsWith("and 280 more\n"));
}
