#include "cooldown/sim/exchange.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <variant>

#include "cooldown/sim/generation.hpp"

namespace cooldown::sim {
namespace {

using boost::beast::http::field;
using boost::beast::http::verb;

constexpr std::string_view json_type = "application/json";

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// A complete local answer.
asio::awaitable<next_step> reply(connection& client, const http_request& request, int status, std::string body,
                                 std::vector<rate_header> headers = {}) {
  const bool keep = request.keep_alive();
  auto bytes = response_head(status, json_type, static_cast<std::int64_t>(body.size()), false, keep, headers);
  if (request.method() != verb::head) bytes += body;
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

// A number in a header of ours, if there is one.
std::optional<std::int64_t> header_number(const http_request& request, std::string_view name) {
  const auto text = view(request[boost::beast::string_view{name.data(), name.size()}]);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return std::min<std::int64_t>(number, 10'000'000);
}

api_error status_error(int status) {
  return {"Simulated status " + std::to_string(status) + ".", status < 500 ? "invalid_request_error" : "server_error",
          "", status < 500 ? "simulated_error" : "internal_server_error"};
}

const api_error payment_error{"Payment required to access this resource. Please check your billing.",
                              "payment_required_error", "", "payment_required"};
const api_error key_error{"Wrong API Key", "invalid_request_error", "api_key", "wrong_api_key"};
const api_error path_error{"Not found.", "not_found_error", "", "not_found"};

api_error model_error(std::string_view model) {
  return {"Model " + std::string(model) + " does not exist or you do not have access to it.", "not_found_error",
          "model", "model_not_found"};
}

std::vector<rate_header> unreadable_headers() {
  return {{"x-ratelimit-limit-requests-day", "many"},
          {"x-ratelimit-remaining-requests-day", "-5"},
          {"x-ratelimit-reset-requests-day", "soon"},
          {"x-ratelimit-limit-tokens-minute", "1e400"},
          {"x-ratelimit-remaining-tokens-minute", "NaN"},
          {"x-ratelimit-reset-tokens-minute", "-1.5"},
          {"x-ratelimit-limit-tokens-hour", "99999999999999999999999"},
          {"x-ratelimit-remaining-tokens-hour", ""}};
}

// Faults that take the place of an answer. Nothing if there are none.
asio::awaitable<std::optional<next_step>> fail_instead(connection& client, simulation& world,
                                                       const http_request& request, const fault_plan& faults,
                                                       bool stream, model_quota& quota) {
  if (faults.has(fault_kind::reset)) {
    client.reset();
    co_return next_step::drop;
  }
  if (faults.has(fault_kind::stall)) {
    constexpr auto for_ever = nanoseconds::max();
    co_await wait_until(client, world, for_ever);
    ++world.traffic().aborted;
    co_return next_step::drop;
  }
  if (faults.has(fault_kind::garbage)) {
    co_await client.write("\x16\x03garbage that is not HTTP\r\n\r\n");
    co_return next_step::close;
  }
  int status = 0;
  api_error error;
  std::vector<rate_header> headers;
  if (faults.has(fault_kind::status)) {
    status = faults.argument(fault_kind::status);
    error = status_error(status);
  } else if (faults.has(fault_kind::load)) {
    status = 429;
    error = load_error();
    quota.count_load_refusal();
  } else if (faults.has(fault_kind::payment)) {
    status = 402;
    error = payment_error;
    headers.push_back({"x-should-retry", "false"});
  } else if (faults.has(fault_kind::in_stream_error) && !stream) {
    status = 500;
    error = status_error(status);
  } else {
    co_return std::nullopt;
  }
  const auto step = co_await reply(client, request, status, error_body(error), std::move(headers));
  co_return step;
}

asio::awaitable<next_step> refuse(connection& client, simulation& world, const http_request& request,
                                  const refused& why, bool two_buckets) {
  auto headers = world.headers(why.readings, true);
  int seconds = world.options().retry_after;
  if (world.options().refusal == refusal_style::headers) {
    // Exact, in whole seconds rounded up; what never fits is told to come back in a period.
    const auto wait = why.retry_after.value_or(length(why.per));
    seconds = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(wait).count());
  }
  headers.push_back({"retry-after", std::to_string(seconds)});
  auto body = error_body(quota_error(why.what, why.per, two_buckets));
  const auto step = co_await reply(client, request, 429, std::move(body), std::move(headers));
  co_return step;
}

std::int64_t reply_length(const simulation& world, const http_request& request, const api_request& asked) {
  if (asked.kind == endpoint::embedding) return 0;
  const auto wanted = header_number(request, "X-Sim-Reply-Tokens").value_or(world.options().reply_tokens);
  return asked.max_output ? std::min(wanted, *asked.max_output) : wanted;
}

// A compressed or msgpack body is taken as so much text for the first model.
bool is_opaque(const http_request& request) {
  const bool is_msgpack = view(request[field::content_type]).find("msgpack") != std::string_view::npos;
  return is_msgpack || !request[field::content_encoding].empty();
}

asio::awaitable<next_step> complete(connection& client, simulation& world, const http_request& request, endpoint kind) {
  const auto& options = world.options();
  std::optional<api_request> asked;
  api_error error;
  if (is_opaque(request)) {
    asked.emplace();
    asked->kind = kind;
    asked->model = options.models.front().name;
    asked->characters = static_cast<std::int64_t>(request.body().size());
  } else {
    asked = parse_api_request(kind, request.body(), error);
  }
  auto* quota = asked ? world.quotas().find(asked->model) : nullptr;
  if (quota == nullptr) {
    if (asked) error = model_error(asked->model);
    log(world, request, asked ? asked->model : "-", asked ? "404" : "400");
    const auto step = co_await reply(client, request, asked ? 404 : 400, error_body(error));
    co_return step;
  }
  const auto faults = world.draw(view(request["X-Sim-Fault"]));
  if (faults.any()) ++world.traffic().faults;
  const auto failure = co_await fail_instead(client, world, request, faults, asked->stream, *quota);
  if (failure) {
    log(world, request, asked->model, "fault");
    co_return *failure;
  }

  request_facts facts;
  facts.input_tokens = std::llround(std::ceil(static_cast<double>(asked->characters) / options.chars_per_token));
  facts.cached_tokens = std::min(header_number(request, "X-Sim-Cached-Tokens").value_or(0), facts.input_tokens);
  facts.max_output = asked->max_output;
  const auto answer = quota->admit(facts, world.now());
  if (const auto* why = std::get_if<refused>(&answer)) {
    log(world, request, asked->model, "429 " + std::string(name(why->what)) + "/" + std::string(name(why->per)));
    const bool two_buckets = quota->limits().total_factor > 0;
    const auto step = co_await refuse(client, world, request, *why, two_buckets);
    co_return step;
  }
  const auto& granted = std::get<admitted>(answer);
  api_reply body;
  body.kind = kind;
  body.id = world.next_id();
  body.model = asked->model;
  body.created = static_cast<std::int64_t>(world.unix_time(world.now()));
  body.usage = {facts.input_tokens, facts.cached_tokens, reply_length(world, request, *asked)};
  body.cut_by_maximum = asked->max_output && *asked->max_output <= body.usage.output;
  body.with_usage = !faults.has(fault_kind::no_usage);
  body.prompt_time = std::chrono::duration<double>(options.ttft).count();
  if (options.speed > 0) body.completion_time = static_cast<double>(body.usage.output) / options.speed;

  auto headers = faults.has(fault_kind::bad_headers) ? unreadable_headers() : world.headers(granted.readings, false);
  generation_plan plan{std::move(body), std::move(headers), faults};
  plan.stream = asked->stream;
  plan.is_http_1_0 = request.version() < 11;
  plan.keep_alive = request.keep_alive() && !(plan.stream && plan.is_http_1_0);
  open_admission open{world, *quota, granted.held, {facts.input_tokens, facts.cached_tokens, 0}};
  const auto step = co_await generate(client, world, open, plan);
  log(world, request, asked->model, step == next_step::drop ? "aborted" : "200");
  co_return step;
}

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

asio::awaitable<next_step> answer(connection& client, simulation& world, const http_request& request) {
  const auto target = view(request.target());
  const auto path = target.substr(0, target.find('?'));
  if (path.substr(0, 5) == "/sim/") {
    const auto step = co_await manage(client, world, request, path);
    co_return step;
  }
  ++world.traffic().requests_total;
  const auto& key = world.options().api_key;
  if (!key.empty() && view(request[field::authorization]) != "Bearer " + key) {
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
  const auto bytes = response_head(status, json_type, static_cast<std::int64_t>(body.size()), false, false, {}) + body;
  co_await client.write(bytes);
}

}  // namespace cooldown::sim
