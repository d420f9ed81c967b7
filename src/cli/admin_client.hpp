// Fetches /status from a running proxy's admin port.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace cooldown::cli {

struct admin_address {
  std::string host;
  std::string port;
  std::string token;
};

/// "http://HOST:PORT" or "HOST:PORT". Throws std::runtime_error.
admin_address read_admin_address(const std::string& text);

/// The answer to GET /status. Throws std::runtime_error with a sentence that says why there is none and what to do.
boost::json::object fetch_status(const admin_address& at);

}  // namespace cooldown::cli
