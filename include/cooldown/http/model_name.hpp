// Replaces the name of the model in a request body.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cooldown::http {

/// `body` with another value of its member `model`, all other bytes unchanged. `capacity`: as of inspect_body().
/// nullopt: it is not plain JSON, or its model is not a string.
std::optional<std::string> with_model(std::string_view body, std::size_t capacity, std::string_view name);

}  // namespace cooldown::http
