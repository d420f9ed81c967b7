// Host names, IP addresses and the URL of the provider.
#pragma once

#include <string>
#include <string_view>

#include "cooldown/config/config.hpp"

#include "scalars.hpp"

namespace cooldown::config {

enum class zone { allowed, refused };

/// A host name, an IPv4 address or an IPv6 address (with or without brackets; the value has none), in lower case. A
/// zone ("fe80::1%eth0") is only meaningful on this machine: allowed in listening addresses, never in a URL.
reading<std::string> read_host(std::string_view text, zone z);

/// An http or https URL without user, query and fragment. A path that is /v1 alone counts as none: people know that
/// URL from the clients' own settings, and the client's path begins with /v1 already. The path of an endpoint is
/// refused.
reading<origin> read_url(std::string_view text);

std::string show_url(const origin& url);

/// Whether a connection to `host` may reach a listener on `listener` with the same port, judged by spelling only: both
/// may be this machine. Other names of this machine are only known to a resolver.
bool leads_to(std::string_view host, std::string_view listener);

/// Whether the two hosts conflict when listening on the same port.
bool hosts_overlap(std::string_view a, std::string_view b);

}  // namespace cooldown::config
