// Text of peers on a terminal.
#include "terminal.hpp"

#include <gtest/gtest.h>

using cooldown::cli::fit;

TEST(Terminal, LinesAreCutToItsWidth) {
  EXPECT_EQ(fit("abcdef\nab\n", 4, 10), "abcd\nab\n");
}

TEST(Terminal, WhatIsBelowItsHeightIsLeftOut) {
  EXPECT_EQ(fit("a\nb\nc\n", 10, 2), "a\nb");
}

TEST(Terminal, ColoursTakeNoRoomAndEnd) {
  EXPECT_EQ(fit("\x1b[32mabcdef\x1b[0m\n", 3, 5), "\x1b[32mabc\x1b[0m\n");
}

TEST(Terminal, CharactersAreNotCutApart) {
  EXPECT_EQ(fit("\u00e4\u00f6\u00fc\n", 2, 5), "\u00e4\u00f6\n");
}

TEST(Terminal, AnUnknownSizeCutsNothing) {
  EXPECT_EQ(fit("abc\n", 0, 0), "abc\n");
}
