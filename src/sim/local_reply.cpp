#include "local_reply.hpp"

#include <cstdio>

#include "cooldown/sim/generation.hpp"

namespace cooldown::sim {

asio::awaitable<next_step> reply(connection& client, const http_request& request, int status, std::string body,
                                 std::vector<rate_header> headers) {
  const bool keep = request.keep_alive();
  auto bytes = response_head(status, "application/json", static_cast<std::int64_t>(body.size()), false, keep, headers);
  if (request.method() != boost::beast::http::verb::head) bytes += body;
  const bool sent = co_await client.write(bytes);
  if (!sent) co_return next_step::drop;
  co_return keep ? next_step::keep : next_step::close;
}

void log(const simulation& world, const http_request& request, std::string_view model, std::string_view outcome) {
  if (world.options().quiet) return;
  const auto target = view(request.target());
  std::fprintf(stderr, "%.3f %.*s %.*s %.*s\n", world.unix_time(world.now()), static_cast<int>(target.size()),
               target.data(), static_cast<int>(model.size()), model.data(), static_cast<int>(outcome.size()),
               outcome.data());
}

api_error status_error(int status) {
  return {"Simulated status " + std::to_string(status) + ".", status < 500 ? "invalid_request_error" : "server_error",
          "", status < 500 ? "simulated_error" : "internal_server_error"};
}

api_error model_error(std::string_view model) {
  return {"Model " + std::string(model) + " does not exist or you do not have access to it.", "not_found_error",
          "model", "model_not_found"};
}

}  // namespace cooldown::sim
