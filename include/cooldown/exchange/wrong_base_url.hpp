// Explains a client's wrong base URL: some APIs want it with /v1, others without; if it is wrong, the provider answers
// 404.
#pragma once

#include <string_view>

namespace cooldown {

/// What a 404 of the provider for this path probably says about the client's base URL, in a sentence; empty: nothing.
/// Some providers serve completions at other paths, too: then (`serves_without_v1`) a path without /v1 is correct.
std::string_view wrong_base_url(std::string_view path, bool metered, bool serves_without_v1);

/// Whether an answer to this request shows that the provider serves paths that do not begin with /v1.
bool shows_service_without_v1(std::string_view path, bool metered, unsigned status);

}  // namespace cooldown
