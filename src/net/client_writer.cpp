#include "cooldown/net/client_writer.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cooldown/http/chunked.hpp"
#include "cooldown/http/error_body.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown::net {
namespace {

/// Headers that we write ourselves: the provider's of the same name would contradict them. All begin with X-.
constexpr std::string_view own_headers[] = {"x-ratelimit-limit-rpm",
                                            "x-ratelimit-limit-tpm",
                                            "x-ratelimit-current-tpm-limit",
                                            "x-ratelimit-remaining-tpm",
                                            "x-ratelimit-queue-length",
                                            "x-circuitbreaker-state",
                                            "x-circuitbreaker-failures",
                                            "x-ratelimit-delay",
                                            "x-ratelimit-delay-forecast",
                                            "x-ratelimit-delay-reason",
                                            "x-upstream"};

bool is_own(std::string_view name) {
  return istarts_with(name, "x-") &&
         std::ranges::any_of(own_headers, [&](std::string_view own) { return iequals(own, name); });
}

// What is shorter stands in other values by chance, and is no secret.
constexpr std::size_t least_secret = 8;

/// Adds the keys of ours that no client may see.
void add_secrets(std::vector<std::string_view>& to, const config::settings& s) {
  auto const add = [&](const std::string& key) {
    if (key.size() >= least_secret) to.push_back(key);
  };
  auto const add_all = [&](const config::upstream_settings& upstream) {
    add(upstream.api_key);
    std::ranges::for_each(upstream.api_keys, add);
  };
  add_all(s.cerebras);
  std::ranges::for_each(s.upstreams, add_all);
}

/// Which pages may read answers is not the provider's to say: they are made with our key.
bool stays_here(const header_field& h, const http::nominations& nominated) {
  return http::is_hop_by_hop(h.name) || is_own(h.name) || nominated.contains(h.name) ||
         istarts_with(h.name, "access-control-");
}

/// An answer that goes on as it is where the client reads an event stream already.
bool is_plain_event_stream(const http::response_head& head) {
  constexpr std::string_view wanted = "text/event-stream";
  auto const type = head.find("content-type").value_or("");
  bool const is_stream = istarts_with(type, wanted) &&
                         (type.size() == wanted.size() || type[wanted.size()] == ';' || type[wanted.size()] == ' ');
  bool const plain = http::coding_of(head.fields) == http::content_coding::identity;
  return is_stream && plain && head.body.how != http::body_framing::kind::none;
}

std::string as_event(const http::response_head& head, std::string_view body) {
  auto const text = http::plain_body(body, http::coding_of(head.fields), largest_whole_body);
  return http::answer_as_event(text, head.status);
}

}  // namespace

task<bool> client_writer::comment(std::string text) {
  std::string out;
  if (!committed_) {
    out =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: "
        "chunked\r\n";
    http::append_field(out, "Date", http_date());
    http::append_field(out, "Via", c_.port.via);
    out += r_.cors;
    record_.append_fields(out);
    if (wants_close()) http::append_field(out, "Connection", "close");
    out += "\r\n";
    committed_ = true;
    ++c_.port.telemetry.stats.responses[200];
  }
  out += http::encode_chunk(text);
  auto const ec = co_await c_.write(out, settings_.server.body_timeout);
  co_return !ec;
}

/// False: the client is gone.
task<bool> client_writer::end_with_event(std::string_view data) {
  auto framed = http::encode_chunk(fmt::format("data: {}\n\n", data));
  framed += http::last_chunk;
  auto const ec = co_await c_.write(framed, settings_.server.body_timeout);
  co_return !ec;
}

/// After a comment the head is gone: then it is an event of the stream, as the provider's own late errors are.
task<bool> client_writer::reject(reason why, refusal_details details) {
  auto reply = refusal_reply(c_.port.telemetry.stats, why, details);
  record_.line.reason = text_of(why).code;
  record_.line.status = reply.status;
  bool const keep = !wants_close();
  if (committed_) {
    auto const data = http::answer_as_event(reply.body, reply.status);
    auto const sent = co_await end_with_event(data);
    co_return sent&& keep;
  }
  record_.append_fields(reply.fields);
  auto const ec = co_await send(c_, &r_, reply, !keep);
  co_return !ec && keep;
}

task<bool> client_writer::whole(const http::response_head& head, std::string body) {
  record_.line.status = head.status;
  bool const keep = !wants_close();
  if (committed_) {
    auto const data = as_event(head, body);
    auto const sent = co_await end_with_event(data);
    co_return sent&& keep;
  }
  ++c_.port.telemetry.stats.responses[head.status];
  auto lines = head_for(head, keep, body.size());
  lines += "\r\n";
  std::vector<asio::const_buffer> buffers{asio::buffer(lines), asio::buffer(body)};
  auto const ec = co_await c_.write(buffers, settings_.server.body_timeout);
  co_return !ec && keep;
}

task<relay_end> client_writer::relay(upstream_connection& from, const http::response_head& head, duration idle,
                                     http::usage_reader* usage) {
  record_.line.status = head.status;
  auto const out = committed_ ? outgoing::chunked : framing_for(head, r_);
  keep_ = !wants_close() && out != outgoing::until_close;
  std::string lines;
  if (!committed_) {
    ++c_.port.telemetry.stats.responses[head.status];
    lines = head_for(head, keep_, std::nullopt);
    if (out == outgoing::chunked) http::append_field(lines, "Transfer-Encoding", "chunked");
    lines += "\r\n";
  }
  auto end = relay_end::complete;
  if (committed_ && !is_plain_event_stream(head)) {
    end = co_await relay_as_event(from, head, idle, usage);
  } else {
    relay_limits const limits{idle, settings_.server.body_timeout};
    end = co_await relay_body(c_, from, limits, head.body, out, lines, usage);
  }
  keep_ = keep_ && end == relay_end::complete;
  co_return end;
}

/// The client already reads an event stream: an answer that is none becomes an event of it.
task<relay_end> client_writer::relay_as_event(upstream_connection& from, const http::response_head& head, duration idle,
                                              http::usage_reader* usage) {
  std::string body;
  auto const complete = co_await read_whole_body(from, head.body, largest_whole_body, idle, c_.ctl, body);
  if (c_.ctl.why() == interruption::client_gone) co_return relay_end::client_gone;
  if (!complete) co_return body.size() > largest_whole_body ? relay_end::too_large : relay_end::upstream_cut;
  if (usage) usage->feed(body);
  auto const data = as_event(head, body);
  auto const sent = co_await end_with_event(data);
  co_return sent ? relay_end::complete : relay_end::client_gone;
}

/// Some providers repeat in an answer what they were asked with. A reload may have changed the key since.
std::vector<std::string_view> client_writer::secrets() const {
  std::vector<std::string_view> all;
  auto const& now = *c_.port.settings();
  add_secrets(all, settings_);
  if (&now != &settings_) add_secrets(all, now);
  return all;
}

/// The client's head for the provider's answer, without the empty line at its end.
std::string client_writer::head_for(const http::response_head& head, bool keep,
                                    std::optional<std::size_t> length) const {
  std::string out;
  out.reserve(1024);
  auto const hidden = secrets();
  auto const shows_secret = [&](std::string_view text) {
    return std::ranges::any_of(hidden, [&](std::string_view key) { return text.find(key) != std::string_view::npos; });
  };
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
  out.append(shows_secret(head.reason) ? reason_phrase(head.status) : head.reason).append("\r\n");
  http::nominations const nominated(head.fields);
  // A 204 has no body whatever it says (RFC 9110 §8.6); a client that believed it would wait for one.
  bool const no_length = length || head.status == 204 || head.body.how == http::body_framing::kind::chunked;
  bool dated = false;
  for (auto const& h : head.fields) {
    if (stays_here(h, nominated) || (no_length && iequals(h.name, "content-length"))) continue;
    if (shows_secret(h.name) || shows_secret(h.value)) continue;
    // We have tried again ourselves: it was not meant so.
    if (head.status == 429 && record_.line.attempts > 1 && iequals(h.name, "x-should-retry")) continue;
    bool const dates = iequals(h.name, "date");
    if (!dates || !dated) http::append_field(out, h.name, h.value);
    dated = dated || dates;
  }
  // Exactly one (RFC 9110 §6.6.1).
  if (!dated) http::append_field(out, "Date", http_date());
  if (length) http::append_field(out, "Content-Length", *length);
  http::append_field(out, "Via", c_.port.via);
  out += r_.cors;
  record_.append_fields(out);
  if (!keep) {
    http::append_field(out, "Connection", "close");
  } else if (!r_.http11) {
    http::append_field(out, "Connection", "keep-alive");
  }
  return out;
}

}  // namespace cooldown::net
