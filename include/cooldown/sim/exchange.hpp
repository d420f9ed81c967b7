// Handles one request of any endpoint of the simulator.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cooldown/sim/accounts.hpp"
#include "cooldown/sim/connection.hpp"

namespace cooldown::sim {

// What happens to the connection after an answer.
enum class next_step : std::uint8_t { keep, close, drop };

// Answers `request`, for the account of its key. All three outlive the coroutine: its caller awaits it at once.
asio::awaitable<next_step> answer(connection& client, accounts& worlds, const http_request& request);

// The answer to a request that could not be read.
asio::awaitable<void> answer_unreadable(connection& client, read_result why);

}  // namespace cooldown::sim
