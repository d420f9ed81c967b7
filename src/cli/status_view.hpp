// `cooldown-proxy status`: what /status says, for a terminal.
#pragma once

#include <iosfwd>
#include <string>

#include <boost/json/object.hpp>

#include "admin_client.hpp"

namespace cooldown::cli {

/// How /status is shown; `colours` are ANSI's.
std::string render_status(const boost::json::object& status, bool colours, std::size_t columns);

/// Asks once, or each second until interrupted. An exit code.
int show_status(const admin_address& at, bool watch);

}  // namespace cooldown::cli
