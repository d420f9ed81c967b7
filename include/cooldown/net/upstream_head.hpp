// The head that the provider gets, made from a client's.
#pragma once

#include "cooldown/config/config.hpp"
#include "cooldown/net/request.hpp"

namespace cooldown::net {

/// Writes it into `r`, rebuilt from parsed values: nothing of the client's framing gets to the provider.
void write_upstream_head(const http::request_head& head, const config::settings& settings, request& r);

}  // namespace cooldown::net
