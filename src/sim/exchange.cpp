#include "cooldown/sim/exchange.hpp"

#include "cooldown/sim/generation.hpp"

#include "completion.hpp"
#include "local_reply.hpp"

namespace cooldown::sim {
namespace {

using boost::beast::http::field;
using boost::beast::http::verb;

const api_error key_error{"Wrong API Key", "invalid_request_error", "api_key", "wrong_api_key"};
const api_error path_error{"Not found.", "not_found_error", "", "not_found"};

asio::awaitable<next_step> manage(connection& client, simulation& world, const http_request& request,
                                  std::string_view path) {
  int status = 404;
  std::string body = error_body(path_error);
  if (path == "/sim/stats" && request.method() == verb::get) {
    status = 200;
    body = world.stats();
  } else if (path == "/sim/reset" && request.method() == verb::post) {
    status = 200;
    world.reset();
    body = "{}";
  } else if (path == "/sim/limits" && request.method() == verb::post) {
    const bool changed = world.set_limits(request.body(), body);
    status = changed ? 200 : 400;
    if (!changed) body = error_body({body, "invalid_request_error", "", "bad_limits"});
  }
  const auto step = co_await reply(client, request, status, std::move(body));
  co_return step;
}

asio::awaitable<next_step> list_models(connection& client, simulation& world, const http_request& request,
                                       std::string_view path) {
  constexpr std::string_view prefix = "/v1/models/";
  int status = 200;
  std::string body;
  if (path.size() <= prefix.size()) {
    std::vector<std::string> names;
    for (const auto& [model, quota] : world.quotas().models()) names.push_back(model);
    body = models_body(names);
  } else {
    const auto model = path.substr(prefix.size());
    const bool exists = world.quotas().find(model) != nullptr;
    status = exists ? 200 : 404;
    body = exists ? model_body(model) : error_body(model_error(model));
  }
  const auto step = co_await reply(client, request, status, std::move(body));
  co_return step;
}

}  // namespace

asio::awaitable<next_step> answer(connection& client, accounts& worlds, const http_request& request) {
  const auto target = view(request.target());
  const auto path = target.substr(0, target.find('?'));
  auto* const account = worlds.find(view(request[field::authorization]));
  auto& world = account == nullptr ? worlds.first() : *account;
  if (path.substr(0, 5) == "/sim/") {
    const auto step = co_await manage(client, world, request, path);
    co_return step;
  }
  ++world.traffic().requests_total;
  if (account == nullptr) {
    const auto step = co_await reply(client, request, 401, error_body(key_error));
    co_return step;
  }
  if (request.method() == verb::post) {
    std::optional<endpoint> kind;
    if (path == "/v1/chat/completions") kind = endpoint::chat;
    if (path == "/v1/completions") kind = endpoint::completion;
    if (path == "/v1/embeddings") kind = endpoint::embedding;
    if (kind) {
      const auto step = co_await complete(client, world, request, *kind);
      co_return step;
    }
  }
  const bool reads = request.method() == verb::get || request.method() == verb::head;
  if (reads && (path == "/v1/models" || path.substr(0, 11) == "/v1/models/")) {
    const auto step = co_await list_models(client, world, request, path);
    co_return step;
  }
  const bool is_warming = reads && path == "/v1/tcp_warming";
  const auto body = is_warming ? std::string("{}") : error_body(path_error);
  const auto step = co_await reply(client, request, is_warming ? 200 : 404, body);
  co_return step;
}

asio::awaitable<void> answer_unreadable(connection& client, read_result why) {
  const int status = why == read_result::too_large ? 413 : 400;
  const auto body = error_body(status_error(status));
  const auto bytes =
      response_head(status, "application/json", static_cast<std::int64_t>(body.size()), false, false, {}) + body;
  co_await client.write(bytes);
}

}  // namespace cooldown::sim
