// Who counts as one client, and what rules grant it.
#include "cooldown/net/client_rules.hpp"

#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::net;

namespace {

std::uint64_t hash(std::string_view text) {
  return std::hash<std::string>{}("salt" + std::string(text));
}

client_rules rules(const config::cerebras_settings& s = {}) {
  return {s, hash};
}

config::client_rule rule(std::optional<std::string> credential, std::optional<std::string> user,
                         const std::string& address = "") {
  config::client_rule r;
  r.credential = std::move(credential);
  r.user = std::move(user);
  if (!address.empty()) r.address = config::read_address_range(address).range;
  return r;
}

sender from(std::string_view key, std::string_view user = "", std::string_view address = "192.0.2.1") {
  return {.credential = hash(key), .user = user, .address = address};
}

}  // namespace

TEST(ClientRules, EveryAttributeTellsClientsApart) {
  auto const r = rules();
  auto const one = r.standing_of(from("a", "u"), std::nullopt).client;
  EXPECT_EQ(r.standing_of(from("a", "u"), 0).client, one) << "the urgency does not";
  EXPECT_NE(r.standing_of(from("b", "u"), std::nullopt).client, one);
  EXPECT_NE(r.standing_of(from("a", "v"), std::nullopt).client, one);
  EXPECT_NE(r.standing_of(from("a", "u", "192.0.2.2"), std::nullopt).client, one);
}

TEST(ClientRules, OnlyChosenAttributesDo) {
  config::cerebras_settings s;
  s.queue.fair_share_by = {false, true, false};
  auto const by_user = rules(s);
  EXPECT_EQ(by_user.standing_of(from("a", "u"), {}).client, by_user.standing_of(from("b", "u", "::1"), {}).client);
  EXPECT_NE(by_user.standing_of(from("a", "u"), {}).client, by_user.standing_of(from("a", "v"), {}).client);
  s.queue.fair_share_by = {false, false, false};
  auto const as_one = rules(s);
  EXPECT_EQ(as_one.standing_of(from("a", "u"), {}).client, as_one.standing_of(from("b", "v", "::1"), {}).client);
}

TEST(ClientRules, AttributesDoNotRunIntoEachOther) {
  config::cerebras_settings s;
  s.queue.fair_share_by = {false, true, true};
  auto const r = rules(s);
  EXPECT_NE(r.standing_of(from("", "1", "10.0.0.1"), {}).client, r.standing_of(from("", "", "10.0.0.11"), {}).client);
}

TEST(ClientRules, TheFirstThatMatchesCounts) {
  config::cerebras_settings s;
  s.queue.default_priority = 4;
  s.clients = {rule("csk-1", "night"), rule("csk-1", std::nullopt), rule(std::nullopt, std::nullopt, "10.0.0.0/8")};
  s.clients[0].priority = 7;
  s.clients[0].weight = 0.5;
  s.clients[1].weight = 3;
  s.clients[2].priority = 0;
  auto const r = rules(s);
  auto const check = [&](const sender& who, double weight, unsigned urgency) {
    auto const got = r.standing_of(who, std::nullopt);
    EXPECT_EQ(got.weight, weight) << who.user << " at " << who.address;
    EXPECT_EQ(got.urgency, urgency) << who.user << " at " << who.address;
  };
  check(from("csk-1", "night"), 0.5, 7);
  check(from("csk-1", "day", "10.1.1.1"), 3, 4);
  check(from("csk-2", "night", "10.1.1.1"), 1, 0);
  check(from("csk-2", "night", "::ffff:10.1.1.1"), 1, 0);
  check(from("csk-2", "night"), 1, 4);
  check(from("csk-2", "night", ""), 1, 4);
  EXPECT_EQ(r.standing_of(from("csk-1", "night"), 1).urgency, 1U) << "the request's own word goes before a rule's";
  EXPECT_EQ(r.standing_of(from("csk-1", "night"), 1).weight, 0.5);
}

TEST(ClientRules, ARequestIsNoMoreUrgentThanItsSenderMayBe) {
  config::cerebras_settings s;
  EXPECT_EQ(rules(s).standing_of(from("a"), 0).urgency, 0U) << "any class, as long as nothing is said";
  s.queue.highest_priority = 2;
  s.clients = {rule("batch", std::nullopt), rule("boss", std::nullopt)};
  s.clients[0].highest_priority = 5;
  s.clients[1].priority = 1;
  s.clients[1].highest_priority = 0;
  auto const r = rules(s);
  EXPECT_EQ(r.standing_of(from("a"), 0).urgency, 2U);
  EXPECT_EQ(r.standing_of(from("a"), 6).urgency, 6U) << "it may be modest";
  EXPECT_EQ(r.standing_of(from("batch"), 0).urgency, 5U);
  EXPECT_EQ(r.standing_of(from("boss"), 0).urgency, 0U);
  EXPECT_EQ(r.standing_of(from("boss"), std::nullopt).urgency, 1U);
}

TEST(ClientRules, UsersOfOneCredentialAreOneGroup) {
  auto const r = rules();
  auto const group = r.standing_of(from("a", "u"), {}).group;
  EXPECT_EQ(r.standing_of(from("a", "v"), {}).group, group);
  EXPECT_EQ(r.standing_of(from("a"), {}).group, group);
  EXPECT_NE(r.standing_of(from("b", "u"), {}).group, group);
  config::cerebras_settings s;
  s.queue.fair_share_by = {false, true, false};
  EXPECT_EQ(rules(s).standing_of(from("a", "u"), {}).group, 0U) << "where nothing else tells clients apart";
}

TEST(ClientRules, SessionsOfOneCredentialAreClientsOfOneGroupWhereTheyTellApart) {
  auto const in = [](std::string_view session) {
    auto who = from("a", "u");
    who.session = session;
    return who;
  };
  EXPECT_EQ(rules().standing_of(in("1"), {}).client, rules().standing_of(in("2"), {}).client) << "not by default";
  config::cerebras_settings s;
  s.queue.fair_share_by.session = true;
  auto const r = rules(s);
  EXPECT_NE(r.standing_of(in("1"), {}).client, r.standing_of(in("2"), {}).client);
  EXPECT_EQ(r.standing_of(in("1"), {}).group, r.standing_of(in("2"), {}).group);
  EXPECT_NE(r.standing_of(in("1"), {}).client, r.standing_of(in(""), {}).client);
}

TEST(ClientRules, ASessionIsNamedByANumberSinceItMayBeASecret) {
  config::cerebras_settings s;
  s.queue.fair_share_by = {true, true, true, true};
  auto who = from("k", "joe");
  who.session = "ses_1";
  auto const number = std::to_string(hash("ses_1") % 1'000'000);
  EXPECT_EQ(rules(s).name_of(who, "key 2"), "user joe, session " + number);
  who.user = {};
  EXPECT_EQ(rules(s).name_of(who, "key 2"), "192.0.2.1, key 2, session " + number);
  s.queue.fair_share_by = {false, false, false, true};
  EXPECT_EQ(rules(s).name_of(who, "key 2"), "session " + number);
}

TEST(ClientRules, KeysComeWithoutTheirScheme) {
  EXPECT_EQ(key_of("Bearer csk-1"), "csk-1");
  EXPECT_EQ(key_of("bearer   csk-1"), "csk-1");
  EXPECT_EQ(key_of("Basic abc"), "Basic abc");
  EXPECT_EQ(key_of(""), "");
}

TEST(ClientRules, ClientsAreCalledByWhatTellsThemApart) {
  config::cerebras_settings s;
  s.clients.push_back(rule("batch-key", std::nullopt));
  s.clients.back().name = "batch";
  s.clients.push_back(rule(std::nullopt, "ann"));
  s.clients.back().name = "the editor";
  auto const by_all = rules(s);
  EXPECT_EQ(by_all.name_of(from("batch-key"), "key 1"), "batch");
  EXPECT_EQ(by_all.name_of(from("batch-key", "joe"), "key 1"), "batch, user joe");
  EXPECT_EQ(by_all.name_of(from("k", "ann"), "key 2"), "the editor");
  EXPECT_EQ(by_all.name_of(from("k", "joe"), "key 2"), "user joe");
  EXPECT_EQ(by_all.name_of(from("k"), "key 2"), "192.0.2.1, key 2");
  EXPECT_EQ(by_all.name_of(from(""), "no key"), "192.0.2.1");
  s.queue.fair_share_by = {true, false, false};
  EXPECT_EQ(rules(s).name_of(from("k", "joe"), "key 2"), "key 2");
  s.queue.fair_share_by = {false, false, false};
  EXPECT_EQ(rules(s).name_of(from("k", "joe"), "key 2"), "all clients");
  EXPECT_EQ(by_all.name_of_key(hash("batch-key")), "batch");
  EXPECT_EQ(by_all.name_of_key(hash("k")), "");
}

TEST(ClientRules, ANameThatAClientChoseIsNotLong) {
  std::string euros;
  for (int i = 0; i < 100; ++i) euros += "€";
  auto const name = rules().name_of(from("k", euros), "key 2");
  EXPECT_LT(name.size(), 80U);
  EXPECT_TRUE(name.ends_with("€…")) << "cut between characters";
}
