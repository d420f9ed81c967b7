// Answers that are complete at once, and what every endpoint needs to give them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cooldown/sim/api_reply.hpp"
#include "cooldown/sim/exchange.hpp"

namespace cooldown::sim {

inline std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// All arguments outlive the coroutine, or are its own.
asio::awaitable<next_step> reply(connection& client, const http_request& request, int status, std::string body,
                                 std::vector<rate_header> headers = {});

/// A line on stderr, unless the simulator is to be quiet.
void log(const simulation& world, const http_request& request, std::string_view model, std::string_view outcome);

api_error status_error(int status);
api_error model_error(std::string_view model);

}  // namespace cooldown::sim
