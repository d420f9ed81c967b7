// The order of release: urgency, fair shares, rules for clients, limits by model.
#include <optional>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

namespace {

/// One at a time at the provider, which answers once the door is open; whoever comes meanwhile waits.
class QueueOrder : public ::testing::Test {
 protected:
  void start(const values& more = {}) {
    values all{{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.ageing", "off"}};
    for (auto const& [key, value] : more) all[key] = value;
    proxy_ = std::make_unique<proxy>(upstream_, all);
    add("in-flight");
    ASSERT_TRUE(upstream_.wait_for(1));
  }

  /// Sends a request marked by its text and waits until it waits.
  void add(const std::string& mark, const std::string& fields = "", const std::string& user = "") {
    auto body = chat_body("m", 10, false, mark);
    if (!user.empty()) body.insert(1, R"("user":")" + user + R"(",)");
    clients_.emplace_back(proxy_->port());
    ASSERT_TRUE(clients_.back().send(post_request("/v1/chat/completions", body, fields)));
    auto const waiting = clients_.size() - 1;
    ASSERT_TRUE(eventually([&] { return proxy_->queue_length() == waiting; })) << mark;
    marks_.push_back(mark);
  }

  /// Lets all go; the order in which they came to the provider.
  std::vector<std::string> order() {
    door_.set();
    for (auto& c : clients_) EXPECT_EQ(read_response(c).status, 200);
    auto seen = bodies_seen(upstream_, marks_);
    seen.erase(seen.begin());
    return seen;
  }

  static std::size_t place(const std::vector<std::string>& in, const std::string& mark) {
    return static_cast<std::size_t>(std::find(in.begin(), in.end(), mark) - in.begin());
  }

  event door_;
  fake_upstream upstream_{
      [this](auto const&, tcp_client& c) { return door_.wait() && c.send(ok_response(completion())); }};
  release_at_end release_{door_};
  std::unique_ptr<proxy> proxy_;
  std::vector<tcp_client> clients_;
  std::vector<std::string> marks_;
};

std::string as(const std::string& key) {
  return "Authorization: Bearer " + key + "\r\n";
}

}  // namespace

TEST_F(QueueOrder, UrgentOnesGoFirst) {
  start();
  add("late", "Priority: u=7\r\n");
  add("usual");
  add("incremental", "Priority: u=3, i\r\n");
  add("urgent", "Priority: i, u=0\r\n");
  EXPECT_THAT(order(), ElementsAre("urgent", "usual", "incremental", "late"));
  EXPECT_NE(upstream_.seen().at(1).head.find("Priority: i, u=0"), std::string::npos) << "the provider may read it too";
}

TEST_F(QueueOrder, MalformedPrioritiesAreIgnored) {
  start({{"cerebras.queue.default_priority", "4"}});
  add("out-of-range", "Priority: u=9\r\n");
  add("broken", "Priority: u=0,,\r\n");
  add("no-urgency", "Priority: i\r\n");
  add("spoilt", "Priority: u=0\r\nPriority: =\r\n");
  add("last", "Priority: u=5\r\n");
  add("first", "Priority: u=3\r\n");
  EXPECT_THAT(order(), ElementsAre("first", "out-of-range", "broken", "no-urgency", "spoilt", "last"));
}

TEST_F(QueueOrder, RulesGiveClassesToClients) {
  start({{"cerebras.clients",
          "[{match: {credential: batch}, priority: 7}, {match: {user: editor, address: 127.0.0.0/8}, priority: 1}]"},
         {"cerebras.api_key", "ours"}});
  add("from-batch", as("batch"), "editor");
  add("from-other", as("other"));
  add("from-editor", as("other"), "editor");
  add("asked", as("batch") + "Priority: u=0\r\n");
  EXPECT_THAT(order(), ElementsAre("asked", "from-editor", "from-other", "from-batch"));
}

TEST_F(QueueOrder, OneUserCannotFillTheQueueForAnother) {
  start();
  for (int i = 1; i <= 6; ++i) add("many-" + std::to_string(i), "", "greedy");
  add("few-1", "", "modest");
  add("few-2", "", "modest");
  auto const seen = order();
  ASSERT_EQ(seen.size(), 8U);
  EXPECT_LE(place(seen, "few-1"), 1U) << ::testing::PrintToString(seen);
  EXPECT_LE(place(seen, "few-2"), 3U) << ::testing::PrintToString(seen);
  EXPECT_LT(place(seen, "many-1"), place(seen, "many-2")) << "each user's own stay in order";
}

TEST_F(QueueOrder, OneSessionOfAnAgentCannotFillTheQueueForAnother) {
  start({{"cerebras.queue.fair_share_by", "[credential, session]"}});
  for (int i = 1; i <= 6; ++i) add("many-" + std::to_string(i), "x-claude-code-session-id: greedy\r\n");
  add("few-1", "x-session-id: modest\r\n");
  auto const seen = order();
  ASSERT_EQ(seen.size(), 7U);
  EXPECT_LE(place(seen, "few-1"), 1U) << ::testing::PrintToString(seen);
  EXPECT_NE(upstream_.seen().back().head.find("x-claude-code-session-id: greedy"), std::string::npos) << "passed on";
}

TEST_F(QueueOrder, WhoDisconnectsAndComesBackWithTheSameRequestGoesWhereItStood) {
  start();
  auto const waiting = [&](std::size_t n) { return eventually([&] { return proxy_->queue_length() == n; }); };
  std::optional<tcp_client> gone(std::in_place, proxy_->port());
  ASSERT_TRUE(gone->send(post_request("/v1/chat/completions", chat_body("m", 10, false, "first"))));
  ASSERT_TRUE(waiting(1));
  clients_.emplace_back(proxy_->port());
  ASSERT_TRUE(clients_.back().send(post_request("/v1/chat/completions", chat_body("m", 10, false, "second"))));
  ASSERT_TRUE(waiting(2));
  marks_.emplace_back("second");
  gone.reset();
  ASSERT_TRUE(waiting(1));
  add("first");
  EXPECT_THAT(order(), ElementsAre("first", "second"));
}

TEST_F(QueueOrder, WithoutFairSharesItIsFirstInFirstOut) {
  start({{"cerebras.queue.fair_share_by", "[]"}});
  add("a-1", "", "a");
  add("a-2", "", "a");
  add("b-1", "", "b");
  EXPECT_THAT(order(), ElementsAre("a-1", "a-2", "b-1"));
}

TEST(ModelLimits, HoldEachModelByItsOwn) {
  process sim(CEREBRAS_SIM_PROGRAM,
              {"--listen", "127.0.0.1:0", "--model", "m,rpm=1000", "--any-model", "--headers", "none"});
  auto const line = sim.wait_for_line("listening on http://");
  proxy p(line.substr(line.find("http://")),
          {{"cerebras.limits", "{small: {rpd: 5}, hourly: {tph: 5000}, default: {rph: 1}}"},
           {"cerebras.rate_limits.replenishment", "sliding"}});
  auto const ask = [&](const std::string& model, int tokens = 10) {
    return p.fetch(post_request("/v1/chat/completions", chat_body(model, tokens), "Prefer: wait=0\r\n"));
  };
  auto const refused_for = [](const http_response& r, long from, long to) {
    EXPECT_EQ(r.status, 429) << r.body;
    EXPECT_EQ(r.field("X-RateLimit-Reason"), "queue_timeout");
    ASSERT_NE(r.field("Retry-After"), "") << r.raw_head;
    EXPECT_THAT(std::stol(r.field("Retry-After")), AllOf(Ge(from), Le(to))) << "the true time, however long";
  };
  int admitted = 0;
  while (admitted < 10 && ask("small").status == 200) ++admitted;
  EXPECT_EQ(admitted, 5) << "all that the limit allows, and no more";
  refused_for(ask("small"), 86'000, 86'500);
  EXPECT_EQ(ask("other").status, 200);
  refused_for(ask("other"), 3'500, 3'700);
  EXPECT_EQ(ask("another").status, 200) << "every model has its own";
  EXPECT_EQ(ask("hourly", 100).status, 200);
  EXPECT_EQ(ask("hourly", 100).status, 200);
  auto const large = ask("hourly", 6000);
  EXPECT_EQ(large.status, 429);
}

TEST(ModelLimits, ApplyAfterAReload) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, {{"cerebras.rate_limits.use_headers", "false"}});
  auto const ask = [&] {
    return p.fetch(post_request("/v1/chat/completions", chat_body("m"), "Prefer: wait=0\r\n")).status;
  };
  EXPECT_EQ(ask(), 200);
  p.reload({{"cerebras.rate_limits.use_headers", "false"}, {"cerebras.limits", "{m: {rph: 1}}"}});
  EXPECT_EQ(p.metric("cooldown_reloads_total"), 1);
  ask();  // may still fit, if what was before is not counted
  EXPECT_EQ(ask(), 429);
  p.reload({{"cerebras.rate_limits.use_headers", "false"}});
  EXPECT_EQ(ask(), 200);
}
