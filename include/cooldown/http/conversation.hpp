// Recognizes the requests of one conversation, each of which repeats the messages before it.
#pragma once

#include <string_view>

namespace cooldown::http {

/// The beginning of the conversation in a request body in plain JSON: its `messages` (or `input`, of the Responses API)
/// up to the first message of a user, cut to 16 KiB. It is the same in all requests of a conversation. Empty: there is
/// none, or it cannot be read. Takes time in proportion to what precedes the end of that message.
std::string_view conversation_opening(std::string_view body);

}  // namespace cooldown::http
