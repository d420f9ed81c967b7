// What of an error message is the provider's own.
#pragma once

#include <string>
#include <string_view>

namespace cooldown {

/// The message without what it repeats of the request: the name of the model (with or without what stands before its
/// last slash), and quotations, which begin and end at the edges of words. A message that is JSON stays as it is.
std::string prose_of(std::string_view message, std::string_view model);

}  // namespace cooldown
