// MessagePack (github.com/msgpack/msgpack/blob/master/spec.md), which some clients send in place of JSON.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// True where `body` begins like a map of MessagePack; no JSON does.
bool begins_as_msgpack(std::string_view body);

/// The same as JSON; empty when it is broken, deeper than anything that is read, or longer than `most`.
std::string json_of_msgpack(std::string_view body, std::size_t most);

}  // namespace cooldown::http
