// Finds the system's certificate authorities for verifying providers.
#pragma once

#include <functional>
#include <string>

namespace cooldown::net {

bool is_there(const std::string& path);

/// The file with the system's authorities, if OpenSSL's own location has none, for example on another distribution than
/// the one the program was linked on. Empty: OpenSSL's location has some, or no known location does.
std::string authorities_file(const std::function<bool(const std::string&)>& exists);

}  // namespace cooldown::net
