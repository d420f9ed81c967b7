// Clients of one API want its base URL with /v1, those of another without; with the wrong one the provider answers 404.
#pragma once

#include <string_view>

namespace cooldown {

/// What a 404 of the provider for this path mostly says of the client's base URL, in a sentence; empty: nothing. Some
/// providers serve completions at other paths, too: then (`serves_without_v1`) a path without /v1 is no mistake.
std::string_view wrong_base_url(std::string_view path, bool metered, bool serves_without_v1);

/// An answer to this request shows that the provider serves paths that do not begin with /v1.
bool shows_service_without_v1(std::string_view path, bool metered, unsigned status);

}  // namespace cooldown
