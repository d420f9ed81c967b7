// What is told of a request at its end: in the access line, in the metrics and on the page.
#pragma once

#include <cstdint>
#include <string>

#include "cooldown/schedule/constraint.hpp"

namespace cooldown::observe {

/// One request, at its end.
struct access_record {
  std::uint64_t id = 0;
  std::string client;  // address
  std::string who;     // what the client is called (names.hpp), of a metered request
  std::string method;
  std::string target;  // without its query: keys have been seen there
  std::string model;
  unsigned status = 0;                    // 0: the client left without an answer
  const char* reason = "";                // error code of our own refusals
  double cost = 0;                        // tokens reserved
  std::uint64_t tokens = 0;               // tokens used, if known
  double waited = 0;                      // seconds in the queue
  constraint held_by = constraint::none;  // what it waited for, at the start of its last wait
  double upstream = 0;                    // seconds from the last attempt to the response head
  double total = 0;                       // seconds
  unsigned attempts = 0;
  bool complete = true;  // false: the answer broke off
  bool gone = false;     // its client left before the end
};

}  // namespace cooldown::observe
