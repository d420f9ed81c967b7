// What the access line, metrics and the page say about a finished request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cooldown/schedule/constraint.hpp"

namespace cooldown::observe {

/// One finished request.
struct access_record {
  std::uint64_t id = 0;
  std::string client;  // address
  std::string who;     // the client's name (names.hpp); metered requests only
  std::string method;
  std::string target;  // without its query, which may contain keys
  std::string model;
  unsigned status = 0;              // 0: the client disconnected before an answer
  const char* reason = "";          // error code, if the proxy rejected it
  double cost = 0;                  // tokens reserved
  std::uint64_t tokens = 0;         // tokens used, if known
  std::uint64_t prompt_tokens = 0;  // of them
  std::uint64_t cached_tokens = 0;  // of the prompt
  std::uint64_t completion_tokens = 0;
  double waited = 0;                      // seconds in the queue
  constraint held_by = constraint::none;  // what it waited for when its last wait began
  double upstream = 0;                    // seconds from the last attempt to the response head
  double total = 0;                       // seconds
  unsigned attempts = 0;
  unsigned upstream_refusals = 0;  // 429s of the provider
  std::string to{};                // the destination of the last attempt; empty: there is only one
  bool complete = true;            // false: the answer broke off
  bool gone = false;               // its client disconnected before the end
};

/// How it ended, in one word: the code of our refusal, "client_gone", "cut", or "answered".
inline std::string_view outcome_of(const access_record& r) {
  if (*r.reason) return r.reason;
  if (r.gone) return "client_gone";
  return r.complete ? "answered" : "cut";
}

}  // namespace cooldown::observe
