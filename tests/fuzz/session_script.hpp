// The input of the session target: a line of options, then what the client sends, then one answer of the upstream for
// each request that reaches it, separated by RS. Control characters stand for what else a peer does.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"

namespace cooldown::fuzz {

constexpr std::string_view part_separator = "\x1e";

struct action {
  enum class what {
    send,
    wait,   // 0x1f: until nothing moves
    stall,  // 0x13: for three seconds
    end,    // 0x04: FIN
    reset,  // 0x18: RST
  } kind = what::send;
  std::string bytes;
};

struct script {
  bool own_key = false;      // k: the proxy has a key of its own
  bool use_headers = false;  // h: it schedules by rate-limit headers
  bool comments = false;     // c: it sends comments to streaming clients that wait
  bool admin = false;        // a: the session is one of the admin port
  bool silent = false;       // s: an upstream without further answers says nothing, rather than 200
  std::deque<action> client;
  std::deque<std::deque<action>> answers;
  std::string client_bytes;  // all that the client sends, if nobody closes before
  bool client_leaves = false;
  bool client_stalls = false;
};

inline std::deque<action> actions_of(std::string_view part) {
  std::deque<action> actions;
  while (!part.empty()) {
    auto const at = std::min(part.find_first_of("\x1f\x13\x04\x18"), part.size());
    if (at > 0) actions.push_back({action::what::send, std::string(part.substr(0, at))});
    if (at == part.size()) break;
    auto const sign = part[at];
    actions.push_back({sign == '\x1f'   ? action::what::wait
                       : sign == '\x13' ? action::what::stall
                       : sign == '\x04' ? action::what::end
                                        : action::what::reset,
                       {}});
    part.remove_prefix(at + 1);
    if (sign == '\x04' || sign == '\x18') break;
  }
  return actions;
}

inline script script_of(std::string_view input) {
  script s;
  auto const options = take_until(input, "\n");
  auto const has = [&](char c) { return options.find(c) != std::string_view::npos; };
  s.own_key = has('k');
  s.use_headers = has('h');
  s.comments = has('c');
  s.admin = has('a');
  s.silent = has('s');
  s.client = actions_of(take_until(input, part_separator));
  for (auto const& a : s.client) {
    s.client_bytes += a.bytes;
    s.client_leaves = a.kind == action::what::end || a.kind == action::what::reset;
    s.client_stalls = s.client_stalls || a.kind == action::what::stall;
  }
  while (!input.empty()) s.answers.push_back(actions_of(take_until(input, part_separator)));
  return s;
}

}  // namespace cooldown::fuzz
