#include "cooldown/text/either_byte.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

TEST(EitherByte, IsTheNextOfTheTwo) {
  std::string_view const text = "ab\"c\\d\"\"\\";
  either_byte ends(text, '"', '\\');
  for (std::size_t from = 0; from <= text.size(); ++from)
    EXPECT_EQ(ends.next(from), std::min(text.find_first_of("\"\\", from), text.size())) << from;
}

TEST(EitherByte, WhereThereIsNoneItIsTheEnd) {
  EXPECT_EQ(either_byte("", 'a', 'b').next(0), 0U);
  EXPECT_EQ(either_byte("xyz", 'a', 'b').next(1), 3U);
}

}  // namespace
}  // namespace cooldown
