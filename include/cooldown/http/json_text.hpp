// One string as JSON.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// `text` quoted and escaped. Control characters cannot get through; bytes that are not UTF-8 are passed as they are.
std::string json_text(std::string_view text);

}  // namespace cooldown::http
