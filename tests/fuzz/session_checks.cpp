#include "session_checks.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/http/chunked.hpp"
#include "cooldown/http/fields.hpp"
#include "cooldown/http/head.hpp"
#include "cooldown/text/ascii.hpp"

#include "fuzz.hpp"

namespace cooldown::fuzz {
namespace {

using kind = http::body_framing::kind;
using decoder_state = http::chunk_decoder::state;

/// Takes a chunked body off the front; the state is done, bad, or need_more when it is cut short.
decoder_state take_chunked(std::string_view& bytes, std::string& body) {
  http::chunk_decoder decoder;
  for (;;) {
    auto const step = decoder.next(bytes);
    bytes.remove_prefix(step.consumed);
    body += step.data;
    if (step.what != decoder_state::data) return step.what;
  }
}

/// The size of the head in front; 0 when there is none.
std::size_t head_size(std::string_view bytes, http::head_limits limits) {
  http::head_scanner scanner(limits);
  return !bytes.empty() && scanner.scan(bytes) == http::head_scanner::state::complete ? scanner.size() : 0;
}

/// False: refused or cut short.
bool take_body(std::string_view& bytes, const http::body_framing& framing, std::size_t most, std::string& body) {
  if (framing.how == kind::chunked) return take_chunked(bytes, body) == decoder_state::done && body.size() <= most;
  if (framing.length > most || framing.length > bytes.size()) return false;
  body = bytes.substr(0, framing.length);
  bytes.remove_prefix(framing.length);
  return true;
}

/// False: cut short, or broken.
bool take_answer_body(std::string_view& bytes, const http::response_head& head, ending how, std::string& body) {
  switch (head.body.how) {
    case kind::none:
      return true;
    case kind::length:
      body = bytes.substr(0, head.body.length);
      bytes.remove_prefix(body.size());
      return body.size() == head.body.length;
    case kind::chunked:
      return take_chunked(bytes, body) == decoder_state::done;
    case kind::until_close:
      body = std::exchange(bytes, {});
      return how == ending::end;
  }
  return true;
}

bool is_relayed(const http::response_head& head) {
  return std::any_of(head.fields.begin(), head.fields.end(), [](auto const& f) {
    return iequals(f.name, "via") && f.value.starts_with("1.1 cooldown-proxy-");
  });
}

}  // namespace

expectation expectation_of(std::string_view bytes, const config::server_settings& limits) {
  expectation out;
  for (;;) {
    for (int empty_lines = 0; empty_lines < 4 && bytes.starts_with("\r\n"); ++empty_lines) bytes.remove_prefix(2);
    auto const size = head_size(bytes, {.max_size = limits.max_header_size});
    http::request_head head;
    if (size == 0 || http::parse_request_head(bytes.substr(0, size), head)) return out;
    bytes.remove_prefix(size);
    expected_request r{std::string(head.method), std::string(head.target), {}, head.http11};
    if (!take_body(bytes, head.body, limits.max_body_size, r.body)) {
      out.last_method = r.method;
      return out;
    }
    out.requests.push_back(std::move(r));
  }
}

void forwarded_checks::check_head(std::string_view head_bytes) const {
  http::request_head head;
  require(!http::parse_request_head(head_bytes, head), "what is forwarded is sound by our own gate");
  require(head.http11 && head.body.how != kind::chunked, "it goes out as HTTP/1.1 with a length");
  require(head.authority == settings_.base_url.authority(), "to the configured host");
  std::size_t keys = 0;
  for (auto const& f : head.fields) {
    require(is_clean(f.name) && is_clean(f.value), "without a field that ends its line");
    require(!http::is_hop_by_hop(f.name), "without fields of the client's hop");
    keys += iequals(f.name, "authorization") ? 1U : 0U;
  }
  if (!settings_.api_key.empty())
    require(keys == 1 && head.find("authorization") == "Bearer " + settings_.api_key, "with our key and no other");
}

bool forwarded_checks::take(std::string& bytes) {
  auto const size = head_size(bytes, {.max_size = 1024 * 1024});
  if (size == 0) return false;
  check_head(std::string_view(bytes).substr(0, size));
  http::request_head head;
  static_cast<void>(http::parse_request_head(std::string_view(bytes).substr(0, size), head));
  if (bytes.size() - size < head.body.length) return false;
  auto const body = std::string_view(bytes).substr(size, head.body.length);
  auto const& all = expected_.requests;
  // The same again is a repeat; one that was passed over was answered by ourselves.
  auto const is_this = [&](const expected_request& r) {
    auto const target = r.target == "*" ? r.target : settings_.base_url.prefix + r.target;
    return r.method == head.method && target == head.target && r.body == body;
  };
  auto const from = all.begin() + static_cast<std::ptrdiff_t>(next_ == 0 ? 0 : next_ - 1);
  auto const found = std::find_if(from, all.end(), is_this);
  require(found != all.end(), "nothing is forwarded but what the client asked for, whole and in order");
  next_ = static_cast<std::size_t>(found - all.begin()) + 1;
  last_method_ = head.method;
  bytes.erase(0, size + head.body.length);
  return true;
}

std::vector<whole_answer> answers_of(std::string_view sent, const std::vector<std::string>& methods, ending how) {
  std::vector<whole_answer> out;
  for (auto const& method : methods) {
    http::response_head head;
    do {
      auto const size = head_size(sent, {});
      if (size == 0 || http::parse_response_head(sent.substr(0, size), method, head)) return out;
      sent.remove_prefix(size);
    } while (head.status < 200);
    std::string body;
    if (!take_answer_body(sent, head, how, body)) return out;
    out.push_back({head.status, std::move(body)});
  }
  return out;
}

std::vector<whole_answer> check_answers(std::string_view bytes, const expectation& expected, ending how) {
  std::vector<whole_answer> out;
  bool const ended = how != ending::open;
  for (std::size_t i = 0; !bytes.empty();) {
    auto const size = head_size(bytes, {.max_size = 1024 * 1024});
    require(size > 0 || ended, "an answer's head is whole");
    if (size == 0) break;
    bool const known = i < expected.requests.size();
    require(i <= expected.requests.size(), "nobody is answered who has not asked");
    auto const method = known ? expected.requests[i].method : expected.last_method;
    http::response_head head;
    auto const head_bytes = bytes.substr(0, size);
    require(!http::parse_response_head(head_bytes, method, head), "an answer's head is well-formed");
    for (auto const& f : head.fields)
      require(is_clean(f.name) && is_clean(f.value), "no field of an answer ends its line");
    bytes.remove_prefix(size);
    // A HEAD that stalled within its head was not known for one.
    if (head.status == 408 && !bytes.empty()) static_cast<void>(http::parse_response_head(head_bytes, "GET", head));
    if (head.status < 200) {
      require(head.status == 100, "the only interim answer is the one that was expected");
      continue;
    }
    require(known || head.status >= 400, "what is unsound is refused");
    require(head.http11, "an answer is HTTP/1.1");
    bool const is_10 = known && !expected.requests[i].http11;
    require(!is_10 || head.body.how != kind::chunked, "HTTP/1.0 gets no chunks");
    require(is_10 || head.body.how != kind::until_close, "HTTP/1.1 gets an end that it can see");
    std::string body;
    bool const whole = take_answer_body(bytes, head, how, body);
    require(whole || (ended && bytes.empty()), "an answer is broken only by the end of the connection");
    require(head.keep_alive || bytes.empty(), "nothing follows the last answer");
    if (whole && is_relayed(head)) out.push_back({head.status, std::move(body)});
    ++i;
  }
  return out;
}

}  // namespace cooldown::fuzz
