#include "cooldown/http/conversation.hpp"

#include <string>

#include <gtest/gtest.h>

namespace cooldown::http {
namespace {

std::string chat(const std::string& messages) {
  return R"({"model": "m", "tools": [{"name": "messages"}], "messages": [)" + messages + R"(], "stream": true})";
}

const std::string system_message = R"({"role": "system", "content": "Be \"brief\"."})";
const std::string question = R"({"role":"user","content":[{"type":"text","text":"Hello, [you] {there}"}]})";

TEST(Conversation, ItsRequestsBeginAlike) {
  auto const first = chat(system_message + ", " + question);
  auto const second = chat(system_message + ", " + question + R"(, {"role":"assistant","content":"Hi"},)" +
                           R"({"role":"user","content":"More"})");
  EXPECT_EQ(conversation_opening(first), "[" + system_message + ", " + question);
  EXPECT_EQ(conversation_opening(second), conversation_opening(first));
  EXPECT_NE(conversation_opening(chat(question)), conversation_opening(first));
}

TEST(Conversation, MayBeAnInput) {
  EXPECT_EQ(conversation_opening(R"({"input":[{"role":"user","content":"a"}],"model":"m"})"),
            R"([{"role":"user","content":"a"})");
}

TEST(Conversation, IsNotFoundWhereThereIsNone) {
  for (auto const* body : {"", "{", "[]", "{}", "null", R"({"messages":)", R"({"messages":"x"})", R"({"messages":[]})",
                           R"({"messages":[{"role":"system"}]})", R"({"input":"Hello"})", R"({"messages":[{"role":"us)",
                           R"({"a)", R"({"prompt":"messages"})", "{\"messages\":[{\"content\":\"\\"})
    EXPECT_EQ(conversation_opening(body), "") << body;
}

TEST(Conversation, IsCut) {
  auto const body = chat(R"({"role":"user","content":")" + std::string(100'000, 'x') + R"("})");
  EXPECT_EQ(conversation_opening(body).size(), 16U * 1024);
}

TEST(Conversation, AnyTextIsReadToItsEnd) {
  std::string const all = chat(system_message + "," + question);
  for (std::size_t n = 0; n <= all.size(); ++n) {
    conversation_opening(std::string_view(all).substr(0, n));
    for (char const c : {'"', '{', '}', '[', ']', ',', ':', '\\'}) {
      auto changed = all;
      if (n < all.size()) changed[n] = c;
      EXPECT_LE(conversation_opening(changed).size(), changed.size());
    }
  }
}

}  // namespace
}  // namespace cooldown::http
