// `cooldown-proxy status`: what /status says, for a terminal.
#pragma once

#include <iosfwd>
#include <string>

#include <boost/json/object.hpp>

namespace cooldown::cli {

/// How /status is shown; `colours` are ANSI's.
std::string render_status(const boost::json::object& status, bool colours, std::size_t columns);

struct admin_address {
  std::string host;
  std::string port;
  std::string token;
};

/// "http://HOST:PORT" or "HOST:PORT". Throws std::runtime_error.
admin_address read_admin_address(const std::string& text);

/// Asks once, or each second until interrupted. An exit code.
int show_status(const admin_address& at, bool watch);

}  // namespace cooldown::cli
