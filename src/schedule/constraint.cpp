#include "cooldown/schedule/constraint.hpp"

namespace cooldown {
namespace {

struct wording {
  const char* name;
  const char* text;
};

constexpr wording wordings[constraint_count] = {
    {"", ""},
    {"others_ahead", "others are ahead"},
    {"in_flight", "queue.max_in_flight requests are at the provider"},
    {"paused", "the model is paused"},
    {"provider_pause", "the provider asked for a pause"},
    {"recovery", "after a refusal, requests are sent one at a time"},
    {"capacity", "the provider was busy"},
    {"concurrency", "the provider takes no more requests at once"},
    {"spacing", "the provider refuses bursts: requests are spaced out"},
    {"first_answers", "waiting for the first answers, which show the limits"},
    {"circuit_breaker", "the provider keeps failing"},
    {"requests_minute", "the requests of this minute are used up"},
    {"requests_hour", "the requests of this hour are used up"},
    {"requests_day", "the requests of this day are used up"},
    {"tokens_minute", "the tokens of this minute are used up"},
    {"tokens_hour", "the tokens of this hour are used up"},
    {"tokens_day", "the tokens of this day are used up"},
    {"total_tokens_minute", "the total tokens of this minute are used up"},
    {"total_tokens_hour", "the total tokens of this hour are used up"},
    {"total_tokens_day", "the total tokens of this day are used up"},
};

}  // namespace

const char* name_of(constraint c) {
  return wordings[static_cast<std::size_t>(c)].name;
}

const char* text_of(constraint c) {
  return wordings[static_cast<std::size_t>(c)].text;
}

}  // namespace cooldown
