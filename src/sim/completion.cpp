#include "completion.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <variant>

#include "cooldown/sim/generation.hpp"

#include "local_reply.hpp"

namespace cooldown::sim {
namespace {

using boost::beast::http::field;

// A number in a header of ours, if there is one.
template <class Number>
std::optional<Number> header_number(const http_request& request, std::string_view name) {
  const auto text = view(request[boost::beast::string_view{name.data(), name.size()}]);
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !(number >= 0)) return std::nullopt;
  return std::min(number, Number{10'000'000});
}

const api_error payment_error{"Payment required to access this resource. Please check your billing.",
                              "payment_required_error", "", "payment_required"};

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
                                  const std::string& model, const provider_refusal& why) {
  auto outcome = std::to_string(why.status);
  if (why.limit) outcome.append(" ").append(name(why.limit->counts)).append("/").append(name_of(why.limit->over));
  if (!why.limit && why.status == 429) outcome += " load";
  log(world, request, model, outcome);
  auto body = error_body(why.error);
  if (!why.body.empty()) body = why.body;
  const auto step = co_await reply(client, request, static_cast<int>(why.status), std::move(body), why.headers);
  co_return step;
}

std::int64_t reply_length(const simulation& world, const http_request& request, const api_request& asked) {
  if (asked.kind == endpoint::embedding) return 0;
  const auto wanted = header_number<std::int64_t>(request, "X-Sim-Reply-Tokens").value_or(world.options().reply_tokens);
  return asked.max_output ? std::min(wanted, *asked.max_output) : wanted;
}

// A compressed or msgpack body: so much text for the first model.
bool is_opaque(const http_request& request) {
  const bool is_msgpack = view(request[field::content_type]).find("msgpack") != std::string_view::npos;
  return is_msgpack || !request[field::content_encoding].empty();
}

// What the body asks for; nothing, and `error` says why, if it cannot be read. A compressed one is so much text.
std::optional<api_request> read_body(const simulation& world, const http_request& request, endpoint kind,
                                     api_error& error) {
  if (!is_opaque(request)) return parse_api_request(kind, request.body(), error);
  api_request asked;
  asked.kind = kind;
  asked.model = world.options().models.front().name;
  asked.characters = static_cast<std::int64_t>(request.body().size());
  return asked;
}

request_facts facts_of(simulation& world, const http_request& request, const api_request& asked) {
  request_facts facts;
  facts.input_tokens = world.upstream().draw_tokens(asked.characters);
  const auto usual = std::llround(static_cast<double>(facts.input_tokens) * world.upstream().settings().cached);
  facts.cached_tokens = std::min<std::int64_t>(
      header_number<std::int64_t>(request, "X-Sim-Cached-Tokens").value_or(usual), facts.input_tokens);
  facts.max_output = asked.max_output;
  facts.stream = asked.stream;
  return facts;
}

generation_plan plan_of(simulation& world, const http_request& request, const api_request& asked,
                        const request_facts& facts, std::vector<rate_header> headers, const fault_plan& faults) {
  const auto& options = world.options();
  api_reply body;
  body.kind = asked.kind;
  body.id = world.next_id();
  body.model = asked.model;
  body.created = static_cast<std::int64_t>(world.unix_time(world.now()));
  body.usage = {facts.input_tokens, facts.cached_tokens, reply_length(world, request, asked)};
  body.cut_by_maximum = asked.max_output && *asked.max_output <= body.usage.output;
  body.with_usage = !world.upstream().draw_without_usage() && !faults.has(fault_kind::no_usage);
  body.prompt_time = std::chrono::duration<double>(options.ttft).count();
  const auto speed = header_number<double>(request, "X-Sim-Speed").value_or(options.speed);
  if (speed > 0) body.completion_time = static_cast<double>(body.usage.output) / speed;
  if (faults.has(fault_kind::bad_headers)) headers = unreadable_headers();
  generation_plan plan{std::move(body), std::move(headers), faults};
  plan.stream = asked.stream;
  plan.speed = speed;
  plan.late = world.upstream().draw_lateness();
  plan.is_http_1_0 = request.version() < 11;
  plan.keep_alive = request.keep_alive() && !(plan.stream && plan.is_http_1_0);
  return plan;
}

}  // namespace

asio::awaitable<next_step> complete(connection& client, simulation& world, const http_request& request, endpoint kind) {
  api_error error;
  const auto asked = read_body(world, request, kind, error);
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
  const auto facts = facts_of(world, request, *asked);
  const auto answer = world.arrive(*quota, facts);
  if (const auto* why = std::get_if<provider_refusal>(&answer)) {
    const auto step = co_await refuse(client, world, request, asked->model, *why);
    co_return step;
  }
  const auto& granted = std::get<grant>(answer);
  const auto plan = plan_of(world, request, *asked, facts, granted.headers, faults);
  open_admission open{world, *quota, granted.held, {facts.input_tokens, facts.cached_tokens, 0}};
  const auto step = co_await generate(client, world, open, plan);
  log(world, request, asked->model, step == next_step::drop ? "aborted" : "200");
  co_return step;
}

}  // namespace cooldown::sim
