// Measures single steps: header parsing, a limiter decision, reading a request, a whole proxied request.
// Run build/release/micro; use the figures only to compare two versions on the same machine.
#include <string>
#include <thread>

#include <benchmark/benchmark.h>

#include "cooldown/dialect/rate_limit_headers.hpp"
#include "cooldown/http/body_facts.hpp"
#include "cooldown/http/head.hpp"
#include "cooldown/net/server.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

#include "support/tcp.hpp"

namespace {

using namespace cooldown;
using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr wall_time wall{std::chrono::hours{490000}};

constexpr header_field live_headers[] = {
    {"content-type", "application/json"},
    {"x-ratelimit-limit-requests-minute", "1000000"},
    {"x-ratelimit-remaining-requests-minute", "999999"},
    {"x-ratelimit-limit-requests-hour", "100000000"},
    {"x-ratelimit-remaining-requests-hour", "99999999"},
    {"x-ratelimit-limit-requests-day", "1000000000"},
    {"x-ratelimit-remaining-requests-day", "999999999"},
    {"x-ratelimit-limit-tokens-minute", "100000000000"},
    {"x-ratelimit-remaining-tokens-minute", "99999999000"},
    {"x-ratelimit-limit-tokens-hour", "1000000000000"},
    {"x-ratelimit-remaining-tokens-hour", "999999999000"},
    {"x-ratelimit-limit-tokens-day", "10000000000000"},
    {"x-ratelimit-remaining-tokens-day", "9999999999000"},
};

void header_parsing(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_rate_limit_headers(live_headers, wall));
}
BENCHMARK(header_parsing);

ticket_facts some_ticket() {
  ticket_facts t;
  t.scope = {1, "gpt-oss-120b"};
  t.size.input_chars = 1000;
  t.size.max_output_tokens = 100;
  return t;
}

/// Submission, release, header, settlement of one request that does not wait.
void limiter_decision(benchmark::State& state) {
  limiter_settings settings;
  settings.quota.rpm_limit = 1e12;
  settings.quota.tpm_limit = 1e15;
  cerebras_limiter limiter(settings);
  auto const facts = some_ticket();
  auto now = start;
  for (auto _ : state) {
    now += 1ms;
    auto const decided = limiter.submit(facts, now);
    auto const id = std::get<go>(decided).id;
    limiter.observe(id, {.status = 200, .headers = live_headers, .error = {}}, now, wall);
    limiter.settle(id, 350, 250, now);
  }
}
BENCHMARK(limiter_decision);

/// The same with many waiting: submission and cancellation of one more.
void limiter_decision_behind_queue(benchmark::State& state) {
  limiter_settings settings;
  settings.quota.use_headers = false;
  settings.quota.tpm_limit = 1;
  settings.max_depth = static_cast<std::size_t>(state.range(0)) + 10;
  cerebras_limiter limiter(settings);
  auto facts = some_ticket();
  facts.max_wait = std::chrono::hours{24 * 365};
  for (int i = 0; i < state.range(0); ++i) limiter.submit(facts, start);
  facts.max_wait = std::chrono::hours{24 * 3650};
  for (auto _ : state) {
    auto const decided = limiter.submit(facts, start);
    if (auto const* const q = std::get_if<queued>(&decided)) limiter.leave(q->id, start);
    benchmark::DoNotOptimize(limiter.next_deadline(start));
  }
}
BENCHMARK(limiter_decision_behind_queue)->Arg(0)->Arg(1000)->Arg(100000);

void request_head(benchmark::State& state) {
  std::string const head =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: application/json\r\n"
      "Content-Type: application/json\r\nUser-Agent: OpenAI/JS 7.57.0\r\nX-Stainless-Lang: js\r\nX-Stainless-OS: "
      "Linux\r\n"
      "X-Stainless-Retry-Count: 0\r\nAuthorization: Bearer csk-0123456789\r\nContent-Length: 150\r\n\r\n";
  http::request_head parsed;
  for (auto _ : state) {
    http::head_scanner scanner;
    benchmark::DoNotOptimize(scanner.scan(head));
    benchmark::DoNotOptimize(http::parse_request_head(head, parsed));
  }
}
BENCHMARK(request_head);

void body_inspection(benchmark::State& state) {
  std::string body =
      testing::chat_body("gpt-oss-120b", 100, true, std::string(static_cast<std::size_t>(state.range(0)), 'x'));
  body.reserve(body.size() + 128);
  for (auto _ : state)
    benchmark::DoNotOptimize(http::inspect_body(body, body.capacity(), cooldown::http::content_coding::identity));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(body_inspection)->Arg(1000)->Arg(1'000'000);

/// Client, proxy and upstream over loopback, one request at a time on kept connections.
void proxied_request(benchmark::State& state) {
  testing::fake_upstream upstream(
      [](const auto&, testing::tcp_client& c) { return c.send(testing::ok_response(testing::completion())); });
  config::settings settings;
  settings.server.port = 0;
  settings.admin.port = 0;
  settings.logging.level = config::log_level::error;
  settings.cerebras.base_url = {.tls = false, .host = "127.0.0.1", .port = upstream.port(), .prefix = ""};
  settings.cerebras.rpm_limit = 1'000'000'000;
  settings.cerebras.tpm_limit = 1'000'000'000'000;
  observe::log log(settings.logging);
  net::asio::io_context io(1);
  net::app app(io, settings, log);
  net::server server(app, [&] { return std::variant<config::settings, std::vector<std::string>>(settings); });
  std::thread loop([&] { io.run(); });
  {
    testing::tcp_client client(server.port());
    auto const request = testing::post_request("/v1/chat/completions", testing::chat_body());
    for (auto _ : state) {
      client.send(request);
      if (testing::read_response(client).status != 200) state.SkipWithError("not 200");
    }
  }
  net::asio::post(io, [&] { server.drain(); });
  loop.join();
}
BENCHMARK(proxied_request)->UseRealTime();

}  // namespace
