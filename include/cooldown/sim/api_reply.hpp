// The bodies of the simulator's answers: pure text, deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/sim/api_request.hpp"
#include "cooldown/sim/model_quota.hpp"

namespace cooldown::sim {

// The facts that an answer's body depends on.
struct api_reply {
  endpoint kind = endpoint::chat;
  std::string id;
  std::string model;
  std::int64_t created = 0;  // s since 1970
  token_usage usage;
  bool cut_by_maximum = false;
  bool with_usage = true;
  double queue_time = 0;       // s, for time_info
  double prompt_time = 0;      // s
  double completion_time = 0;  // s
};

// `count` tokens of text, starting with token number `first` of the reply.
std::string reply_words(std::int64_t first, std::int64_t count);

// The whole body of an answer that is not streamed.
std::string reply_body(const api_reply& reply);

// Events of a stream, each "data: {...}\n\n". The final one has finish_reason, usage and time_info.
std::string role_event(const api_reply& reply);
std::string content_event(const api_reply& reply, std::int64_t first, std::int64_t count);
std::string final_event(const api_reply& reply);
std::string error_event(const api_error& error, int status);
inline constexpr std::string_view done_event = "data: [DONE]\n\n";

std::string error_body(const api_error& error);
std::string models_body(const std::vector<std::string>& models);
std::string model_body(std::string_view model);

}  // namespace cooldown::sim
