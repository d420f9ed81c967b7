#include "cooldown/net/reply.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

#include "cooldown/http/error_body.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown::net {
namespace {

std::uint64_t whole(double n) {
  return n > 0 ? static_cast<std::uint64_t>(std::min(n, 1e18) + 0.5) : 0;
}

}  // namespace

std::string_view http_date() {
  static std::time_t last = 0;
  static std::array<char, 40> text{};
  static std::size_t size = 0;
  auto const now = std::time(nullptr);
  if (now != last) {
    last = now;
    std::tm parts{};
    gmtime_r(&now, &parts);
    size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text.data(), size};
}

std::string_view reason_phrase(unsigned status) {
  auto const phrase = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {phrase.data(), phrase.size()};
}

local_reply refusal_reply(observe::stats& counts, reason why, const refusal_details& details) {
  auto const& text = text_of(why);
  ++counts.refusals[text.code];
  std::string message = text.message;
  if (!details.explanation.empty()) message += ' ' + details.explanation;
  local_reply reply{.status = details.status ? details.status : text.status, .body = {}, .fields = {}};
  http::append_field(reply.fields, "X-RateLimit-Reason", text.code);
  if (details.retry_after) {
    auto const wait = std::max(duration::zero(), *details.retry_after);
    message += " Try again in " + delay_in_words(wait) + '.';
    http::append_field(reply.fields, "Retry-After", static_cast<std::uint64_t>(ceil_seconds(wait).count()));
    http::append_field(reply.fields, "retry-after-ms",
                       static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
  }
  if (!text.retry_helps) http::append_field(reply.fields, "x-should-retry", "false");
  std::string_view const param =
      text.whose == side::internal || why == reason::request_too_large_for_limit ? "quota" : "";
  reply.body = http::error_body(message, text.type, param, text.code);
  return reply;
}

void append_status_fields(std::string& out, const destination& at, const scope_status& scope) {
  auto const& upstream = *at.upstream_of_now()->of;
  auto const& breaker = at.provider().breaker;
  http::append_field(out, "X-RateLimit-Limit-RPM", upstream.rpm_limit);
  http::append_field(out, "X-RateLimit-Limit-TPM", upstream.tpm_limit);
  http::append_field(out, "X-RateLimit-Current-TPM-Limit", whole(scope.current_token_limit));
  http::append_field(out, "X-RateLimit-Remaining-TPM", whole(scope.remaining_tokens));
  http::append_field(out, "X-RateLimit-Queue-Length", at.queue_length());
  http::append_field(out, "X-CircuitBreaker-State", name_of(breaker.current(steady_now())));
  http::append_field(out, "X-CircuitBreaker-Failures", breaker.failures());
}

task<error_code> send(client_connection& c, const request* r, const local_reply& reply, bool close) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", reply.status, reason_phrase(reply.status));
  http::append_field(head, "Date", http_date());
  http::append_field(head, "Content-Type", reply.content_type);
  http::append_field(head, "Content-Length", reply.body.size());
  head += reply.fields;
  if (r) head += r->cors;
  if (close) {
    http::append_field(head, "Connection", "close");
  } else if (r && !r->http11) {
    http::append_field(head, "Connection", "keep-alive");
  }
  head += "\r\n";
  if (!r || !r->is_head()) head += reply.body;
  ++c.port.telemetry.stats.responses[reply.status];
  auto const patience = c.port.settings()->server.body_timeout;
  auto const ec = co_await c.write(head, patience);
  co_return ec;
}

}  // namespace cooldown::net
