// `cooldown-proxy run -- COMMAND`: what the command gets, what it does not get, and how both end.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

ended_process run(const std::vector<std::string>& args, const std::vector<std::string>& env = {}) {
  return run_to_end(COOLDOWN_PROXY_PROGRAM, args, env);
}

class RunCommand : public ::testing::Test {
 protected:
  /// A configuration with `more` in it.
  std::string config(const values& more = {}) {
    auto all = usual_values("http://127.0.0.1:" + std::to_string(upstream_.port()));
    for (auto const& [key, value] : more) all[key] = value;
    return directory_.file("config.yaml", yaml_of(all));
  }

  temporary_directory directory_;
  event answer_;
  fake_upstream upstream_{[this](auto const& r, tcp_client& c) {
    if (r.body.find("slow") != std::string::npos) answer_.wait();
    return c.send(ok_response(completion()));
  }};
  std::string good_ = config();
};

/// Where the descriptors of a process lead, but for the standard ones, by number.
std::map<std::string, std::string> descriptors_of(const std::string& pid) {
  std::map<std::string, std::string> found;
  for (auto const& fd : std::filesystem::directory_iterator("/proc/" + pid + "/fd")) {
    std::error_code gone;
    auto const leads_to = std::filesystem::read_symlink(fd.path(), gone);
    auto const number = fd.path().filename().string();
    if (!gone && std::stoi(number) > 2) found[number] = leads_to.string();
  }
  return found;
}

/// Whether a descriptor of a process is closed when the process starts a program (proc(5): O_CLOEXEC in octal).
bool is_closed_on_exec(const std::string& pid, const std::string& fd) {
  std::ifstream in("/proc/" + pid + "/fdinfo/" + fd);
  std::string word;
  while (in >> word)
    if (word == "flags:" && in >> word) return (std::stoul(word, nullptr, 8) & 02000000U) != 0;
  return false;
}

bool listens(std::uint16_t port) {
  try {
    tcp_client const client(port);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace

TEST_F(RunCommand, PointsACommandToAProxyOfItsOwn) {
  auto const out = directory_.path("out");
  auto const r = run({"run", "-c", good_, "--", "sh", "-c",
                      "echo $OPENAI_BASE_URL $CEREBRAS_BASE_URL; "
                      "curl -s -o " +
                          out + " -H 'Content-Type: application/json' -d '" + chat_body("m", 10) +
                          "' \"$OPENAI_BASE_URL/chat/completions\"; exit 7"});
  EXPECT_EQ(r.status, 7) << r.output;
  EXPECT_THAT(r.output, ::testing::ContainsRegex("http://127.0.0.1:([0-9]+)/v1 http://127.0.0.1:([0-9]+)\n"));
  std::ifstream answer(out);
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(answer), {}), HasSubstr("chat.completion"));
  EXPECT_EQ(upstream_.count(), 1U);
}

TEST_F(RunCommand, EndsAsItsCommandDoes) {
  EXPECT_EQ(run({"run", "-c", good_, "--", "sh", "-c", "kill -9 $$"}).status, 128 + SIGKILL);
  EXPECT_EQ(run({"run", "-c", good_, "--", "/nowhere/nothing"}).status, 127);
  EXPECT_EQ(run({"run", "-c", good_, "--", directory_.file("plain", "text")}).status, 126);
  EXPECT_EQ(run({"run", "-c", good_}).status, 64) << "what shall it run?";
  process p(COOLDOWN_PROXY_PROGRAM, {"run", "-c", good_, "--", "sh", "-c", "echo up; exec sleep 60"});
  p.wait_for_line("up");
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 128 + SIGTERM) << "the signal is passed on";
}

TEST_F(RunCommand, GivesTheCommandNoDescriptorOfItsOwn) {
  auto const list = directory_.file("list.sh",
                                    "for f in /proc/$$/fd/*; do\n"
                                    "  case ${f##*/} in 0|1|2) continue;; esac\n"
                                    "  printf '%s ' ${f##*/}; readlink $f || echo gone\n"
                                    "done\n");
  auto const with_log = config({{"logging.file", directory_.path("proxy.log")}});
  auto const alone = run_to_end("/bin/sh", {list});
  auto const beside = run({"run", "-c", with_log, "--", "/bin/sh", list});
  EXPECT_EQ(beside.status, 0);
  EXPECT_EQ(beside.output, alone.output);
}

TEST_F(RunCommand, EveryDescriptorOfTheProxyIsClosedOnExec) {
  auto const log = directory_.path("proxy.log");
  process p(COOLDOWN_PROXY_PROGRAM, {"-c", config({{"logging.file", log}})});
  auto const port_behind = [&](const std::string& word) {
    std::ifstream in(log);
    std::string const all(std::istreambuf_iterator<char>(in), {});
    auto const at = all.find(word);
    return at == std::string::npos ? 0 : std::atoi(all.c_str() + at + word.size());
  };
  ASSERT_TRUE(eventually([&] { return port_behind("admin on http://127.0.0.1:") != 0; }));
  tcp_client client(static_cast<std::uint16_t>(port_behind("listening on http://127.0.0.1:")));
  tcp_client admin(static_cast<std::uint16_t>(port_behind("admin on http://127.0.0.1:")));
  client.send(post_request("/v1/chat/completions", chat_body()));
  EXPECT_EQ(read_response(client).status, 200);
  admin.send(get_request("/readyz"));
  EXPECT_EQ(read_response(admin).status, 200);
  auto const pid = std::to_string(p.pid());
  std::set<std::string> inherited;  // from this test
  for (auto const& [fd, leads_to] : descriptors_of("self")) inherited.insert(leads_to);
  std::size_t sockets = 0;
  for (auto const& [fd, leads_to] : descriptors_of(pid)) {
    if (inherited.contains(leads_to)) continue;
    EXPECT_TRUE(is_closed_on_exec(pid, fd)) << fd << " -> " << leads_to;
    if (leads_to.starts_with("socket:")) ++sockets;
  }
  EXPECT_GE(sockets, 5U) << "two that listen, two clients, one to the provider";
  p.signal(SIGTERM);
  EXPECT_EQ(p.wait(), 0);
}

TEST_F(RunCommand, RequestsToTheProxyGoPastAnotherProxy) {
  auto const no_proxy = [&](const std::vector<std::string>& env) {
    return run({"run", "-c", good_, "--", "sh", "-c", "echo \"$no_proxy $NO_PROXY\""}, env).output;
  };
  EXPECT_EQ(no_proxy({}), "127.0.0.1,localhost 127.0.0.1,localhost\n");
  // Some programs read one of the two, some the other: neither loses what was there.
  auto const both = ".corp.example,127.0.0.1,localhost .corp.example,127.0.0.1,localhost\n";
  EXPECT_EQ(no_proxy({"no_proxy=.corp.example"}), both);
  EXPECT_EQ(no_proxy({"NO_PROXY=.corp.example"}), both);
  EXPECT_EQ(no_proxy({"no_proxy=a.example", "NO_PROXY=b.example, localhost"}),
            "a.example,127.0.0.1,localhost b.example, localhost,127.0.0.1\n");
  EXPECT_EQ(no_proxy({"no_proxy=*"}), "* *\n");
}

TEST_F(RunCommand, CtrlCEndsTheDrainOnceTheCommandIsGone) {
  release_at_end const release(answer_);
  auto const go = directory_.path("go");
  ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
  auto const ask = "curl -s -o /dev/null -H 'Content-Type: application/json' -d '" + chat_body("m", 10, false, "slow") +
                   "' \"$OPENAI_BASE_URL/chat/completions\"";
  process p(COOLDOWN_PROXY_PROGRAM,
            {"run", "-c", good_, "--", "sh", "-c", "echo $CEREBRAS_BASE_URL; " + ask + " & read line <" + go});
  auto const url = p.wait_for_line("http://127.0.0.1:");
  auto const port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  ASSERT_TRUE(upstream_.wait_for(1));
  std::ofstream(go) << "on\n";
  ASSERT_TRUE(eventually([&] { return !listens(port); })) << "the command has ended, and its last request has not";
  p.signal(SIGINT);
  EXPECT_EQ(p.wait(), -SIGINT);
}

TEST_F(RunCommand, ACommandNeedsNoDashesBeforeIt) {
  EXPECT_EQ(run({"run", "-c", good_, "sh", "-c", "exit 7"}).status, 7);
  EXPECT_EQ(run({"-c", good_, "run", "sh", "-c", "exit 8"}).status, 8);
  EXPECT_EQ(run({"run", "-c", good_, "--", "sh", "-c", "exit 9"}).status, 9);
}

TEST_F(RunCommand, OnATerminalSaysWhereItsPageIsAndWhenNoRequestCame) {
  auto const said = [&](const std::string& command) {
    auto const line = std::string(COOLDOWN_PROXY_PROGRAM) + " run -c " + good_ + " -- " + command;
    return run_to_end("/usr/bin/script", {"-qec", line, "/dev/null"}).output;
  };
  EXPECT_THAT(said("true"), ::testing::AllOf(HasSubstr("the queue is shown at http://127.0.0.1:"),
                                             HasSubstr("no request came through the proxy")));
  EXPECT_THAT(said("sh -c 'curl -s $OPENAI_BASE_URL/models >/dev/null'"),
              ::testing::Not(HasSubstr("no request came through the proxy")));
}
