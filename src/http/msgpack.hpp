// Reads MessagePack (github.com/msgpack/msgpack/blob/master/spec.md), which some clients send instead of JSON.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// True if `body` begins like a MessagePack map; no JSON does.
bool begins_as_msgpack(std::string_view body);

/// The body as JSON; empty if it is invalid, nested too deeply, or longer than `most`.
std::string json_of_msgpack(std::string_view body, std::size_t most);

}  // namespace cooldown::http
