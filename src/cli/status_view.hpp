// `cooldown-proxy status`: shows /status on a terminal.
#pragma once

#include <iosfwd>
#include <string>

#include <boost/json/object.hpp>

#include "admin_client.hpp"

namespace cooldown::cli {

/// Formats /status; `colours` are ANSI's.
std::string render_status(const boost::json::object& status, bool colours);

/// Shows the status once, or every second until interrupted; `as_json`: prints the document itself. Returns an exit
/// code.
int show_status(const admin_address& at, bool watch, bool as_json);

}  // namespace cooldown::cli
