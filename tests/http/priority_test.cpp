// Priority (RFC 9218) as a dictionary (RFC 8941): what is used, and what is ignored.
#include "cooldown/http/priority.hpp"

#include <vector>

#include <gtest/gtest.h>

using namespace cooldown;
using http::urgency_of;

namespace {

std::optional<int> of(std::string_view value) {
  std::vector<header_field> const fields{{"Priority", value}};
  auto const u = urgency_of(fields);
  return u ? std::optional<int>(*u) : std::nullopt;
}

}  // namespace

TEST(Priority, UrgencyCounts) {
  for (auto const* value :
       {"u=5", "u=5, i", "i, u=5", "u=5;a=b", "i=?0,u=5", " u=5 ", "u=1, u=5", "x=(1 \"a\");q, u=5", "a=:aGk=:, u=5",
        "a=1.5, u=5", "a=tok/en:x,\tu=5", "i, u=5, *x-y.z_0", "a=\"\\\"\\\\\", u=5"})
    EXPECT_EQ(of(value), 5) << value;
  for (int u = 0; u <= 7; ++u) EXPECT_EQ(of("u=" + std::to_string(u)), u);
  EXPECT_EQ(of("u=-0"), 0) << "an integer like any other";
}

TEST(Priority, OutOfRangeOrOfAnotherTypeIsIgnored) {
  for (auto const* value : {"u=8", "u=-1", "u=1.0", "u", "u=?1", "u=\"3\"", "u=high", "u=(1)", "u=999999999999999", "i",
                            "", "U", "v=1", "u=3, u=9"})
    EXPECT_EQ(of(value), std::nullopt) << value;
}

TEST(Priority, MalformedFieldsAreIgnoredAsAWhole) {
  for (auto const* value : {"u=1,",
                            "u=1,,i",
                            "u=",
                            "u=1;",
                            "u =1",
                            "u= 1",
                            "=1",
                            "u=1 i",
                            "U=1",
                            "u=1, \"x\"",
                            "u=1, a=\"x",
                            "u=1, a=(1",
                            "u=1, a=(1\"x\")",
                            "u=1, a=:x",
                            "u=1, a=?2",
                            "u=1, a=-",
                            "u=1, a=1.",
                            "u=1, a=1.2345",
                            "u=1, a=1234567890123456",
                            "u=1, a=\"\\x\"",
                            "u=1\n",
                            ",",
                            "u=1, 2=3",
                            "u=1, a=@1"})
    EXPECT_EQ(of(value), std::nullopt) << value;
  EXPECT_EQ(of("u=1, a=" + std::string(5000, 'x')), std::nullopt) << "longer than anybody needs";
}

TEST(Priority, FieldLinesAreOneDictionary) {
  std::vector<header_field> fields{{"priority", "u=1"}, {"Accept", "u=6"}, {"PRIORITY", "i, u=2"}};
  EXPECT_EQ(urgency_of(fields), 2);
  fields.push_back({"Priority", "?"});
  EXPECT_EQ(urgency_of(fields), std::nullopt) << "one bad line spoils them";
  EXPECT_EQ(urgency_of({}), std::nullopt);
}
