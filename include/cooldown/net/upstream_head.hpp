// Builds the request head for the provider from the client's.
#pragma once

#include <string>

#include "cooldown/net/request.hpp"
#include "cooldown/net/upstream.hpp"

namespace cooldown::net {

/// The complete head for this upstream, rebuilt from parsed values, without any of the client's framing, for a body of
/// that size. Built for each attempt, because only then it is known where it goes.
std::string upstream_head(const request& r, const upstream& to, std::string_view via, std::size_t body_size);

/// True if the request must not go to this upstream: it carries its client's own key, which was sent for
/// another provider, or its path could leave the path of base_url, although that of the previous provider allowed it.
bool is_for_another_provider(const request& r, const upstream& to);

}  // namespace cooldown::net
