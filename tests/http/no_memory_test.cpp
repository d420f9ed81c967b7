// Each allocation fails once, in a separate run: the facts about a message are then correct, or absent.
#include <functional>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "cooldown/http/body_facts.hpp"
#include "cooldown/http/usage_reader.hpp"

#include "support/failing_new.hpp"

using namespace cooldown::http;
using cooldown::testing::memory_is_short;

namespace {

std::size_t made = 0;
std::size_t failing = 0;

/// The allocations in it fail one by one, until there are no more. It is to be right whenever it comes to an end.
void fail_each(const std::function<void()>& read) {
  for (failing = 1;; ++failing) {
    SCOPED_TRACE("failing allocation " + std::to_string(failing));
    made = 0;
    memory_is_short = [](std::size_t) { return ++made == failing; };
    try {
      read();
    } catch (const std::bad_alloc&) {
      EXPECT_GE(made, failing);
    }
    memory_is_short = nullptr;
    read();
    if (made < failing || ::testing::Test::HasFailure()) break;
  }
  EXPECT_GE(failing, 3U);
}

// So large that no reader keeps what it needed for the last one.
std::string const long_text(5u << 20, 'x');

}  // namespace

TEST(NoMemory, ABodyIsReadRightOrNotAtAll) {
  auto const body = R"({"messages":[{"role":"user","content":")" + long_text + R"("}],"model":"m","stream":true})";
  fail_each([&] {
    auto const facts = inspect_body(body, body.size(), content_coding::identity);
    auto const is_short = memory_is_short.exchange(nullptr);
    EXPECT_TRUE(facts.parsed);
    EXPECT_EQ(facts.model, "m");
    EXPECT_TRUE(facts.stream);
    memory_is_short = is_short;
  });
}

TEST(NoMemory, AUsageIsReadRightOrNotAtAll) {
  auto const answer = R"({"id":"x","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"text":")" +
                      std::string(100, 'x') + R"("})";
  fail_each([&] {
    usage_reader reader(content_coding::identity);
    reader.feed(answer);
    auto const used = reader.finish();
    auto const is_short = memory_is_short.exchange(nullptr);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->total_tokens, 5U);
    memory_is_short = is_short;
  });
}
