// What a provider says in its own words, beside what it repeats of the request.
#include "cooldown/dialect/prose.hpp"

#include <gtest/gtest.h>

#include "cooldown/dialect/refusal.hpp"

namespace cooldown {
namespace {

using kind = refusal::kind;

kind kind_of(std::string_view message, std::string_view model = {}) {
  return classify_refusal({.message = message, .type = "", .code = "429"}, {}, {}, model).what;
}

TEST(Prose, LeavesOutQuotationsAndTheModel) {
  struct row {
    const char* message;
    const char* model;
    const char* prose;
  };
  row const rows[] = {
      {"The model `credit-7b` is busy", "", "The model  is busy"},
      {"No room for \"pay my \"credit\" card\" now", "", "No room for  card\" now"},
      {"'billing' failed, and you've no credit, it's said", "", " failed, and you've no credit, it's said"},
      {"Cut off: \"tell me of cre", "", "Cut off: "},
      {"\u201cmy credit\u201d is refused", "", " is refused"},
      {"credit-7b: credit is used up", "credit-7b", " credit is used up"},
      {"Credit-7B-2026-01 is busy", "credit-7b", " is busy"},
      {"credit-7b is busy", "vendor/credit-7b", " is busy"},
      {"vendor/credit-7b is busy", "vendor/credit-7b", " is busy"},
      {"in 5 minutes, say m's owners", "m", "in 5 minutes, say 's owners"},
      {R"({"error":"no credit"})", "", R"({"error":"no credit"})"},
      {"", "m", ""},
      {"`", "", ""},
      {"'", "", "'"},
  };
  for (auto const& r : rows) EXPECT_EQ(prose_of(r.message, r.model), r.prose) << r.message;
}

TEST(Prose, AWordOfTheRequestIsNoEvidence) {
  for (auto const* const word : {"credit", "billing", "payment", "spending"}) {
    auto const model = std::string(word) + "-scorer-7b";
    EXPECT_EQ(kind_of("Too many requests for " + model, model), kind::load) << word;
    EXPECT_EQ(kind_of("Too many requests for " + model, "vendor/" + model), kind::load) << word;
    EXPECT_EQ(kind_of("Too many requests for `" + model + "`"), kind::load) << word;
    EXPECT_EQ(kind_of("Cannot answer \"what is a " + std::string(word) + "?\" now"), kind::load) << word;
  }
}

TEST(Prose, WhatTheProviderSaysItselfCounts) {
  EXPECT_EQ(kind_of("credit-7b: you have no credit left", "credit-7b"), kind::incurable);
  EXPECT_EQ(kind_of("Your credit balance is too low for 'm'", "m"), kind::incurable);
  EXPECT_EQ(kind_of(R"({"error":"insufficient credits"})"), kind::incurable);
}

}  // namespace
}  // namespace cooldown
