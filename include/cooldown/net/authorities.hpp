// Where the system keeps the authorities that may vouch for a provider.
#pragma once

#include <functional>
#include <string>

namespace cooldown::net {

bool is_there(const std::string& path);

/// Where OpenSSL looks for the authorities there is nothing, as when a program runs on another distribution than it was
/// linked on: the file in which some distribution has them. Empty: OpenSSL finds them by itself, or nothing does.
std::string authorities_file(const std::function<bool(const std::string&)>& exists);

}  // namespace cooldown::net
