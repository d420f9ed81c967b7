// `cooldown-proxy status`: what /status says, for a terminal.
#pragma once

#include <iosfwd>
#include <string>

#include <boost/json/object.hpp>

#include "admin_client.hpp"

namespace cooldown::cli {

/// How /status is shown; `colours` are ANSI's.
std::string render_status(const boost::json::object& status, bool colours);

/// Asks once, or each second until interrupted; `as_json`: prints what /status says. An exit code.
int show_status(const admin_address& at, bool watch, bool as_json);

}  // namespace cooldown::cli
