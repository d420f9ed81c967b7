#include "cooldown/net/relay.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cooldown/exchange/body_pace.hpp"
#include "cooldown/http/chunked.hpp"

namespace cooldown::net {
namespace {

// Room for a burst of tokens at first; a body that fills it gets large reads.
constexpr std::size_t small_read = 8 * 1024;
constexpr std::size_t large_read = 64 * 1024;
constexpr unsigned most_interim_responses = 100;

std::string_view view_of(const boost::beast::flat_buffer& b) {
  return {static_cast<const char*>(b.data().data()), b.size()};
}

/// Takes the body apart, whatever its framing: data pieces point into what is fed. Without a body there is nothing to
/// take: what comes then is no part of this answer.
class body_splitter {
 public:
  explicit body_splitter(const http::body_framing& in) : in_(in), left_(in.length) {
    using kind = http::body_framing::kind;
    if (in.how == kind::none || (in.how == kind::length && in.length == 0)) state_ = state::done;
  }

  enum class state : std::uint8_t { more, done, broken };

  /// Appends the data in `input` to `pieces`; returns how much of the input they stand in, framing included.
  std::size_t split(std::string_view input, std::vector<asio::const_buffer>& pieces) {
    if (state_ != state::more) return 0;
    if (in_.how == http::body_framing::kind::chunked) return split_chunks(input, pieces);
    auto const n =
        in_.how == http::body_framing::kind::length ? std::min<std::uint64_t>(left_, input.size()) : input.size();
    if (n > 0) pieces.push_back(asio::buffer(input.data(), n));
    left_ -= in_.how == http::body_framing::kind::length ? n : 0;
    if (in_.how == http::body_framing::kind::length && left_ == 0) state_ = state::done;
    return n;
  }

  /// The upstream closed: the proper end of a close-delimited body, the breach of any other.
  void ended(bool cleanly) {
    state_ = cleanly && in_.how == http::body_framing::kind::until_close ? state::done : state::broken;
  }

  state current() const { return state_; }

 private:
  std::size_t split_chunks(std::string_view input, std::vector<asio::const_buffer>& pieces) {
    std::size_t used = 0;
    for (;;) {
      auto const step = decoder_.next(input.substr(used));
      used += step.consumed;
      switch (step.what) {
        case http::chunk_decoder::state::data:
          pieces.push_back(asio::buffer(step.data.data(), step.data.size()));
          continue;
        case http::chunk_decoder::state::done:
          state_ = state::done;
          return used;
        case http::chunk_decoder::state::bad:
          state_ = state::broken;
          return used;
        case http::chunk_decoder::state::need_more:
          return used;
      }
    }
  }

  http::body_framing in_;
  std::uint64_t left_;
  http::chunk_decoder decoder_;
  state state_ = state::more;
};

}  // namespace

task<head_result> read_response_head(upstream_connection& u, std::string_view method, std::size_t max_size,
                                     interrupt& ctl, std::string& bytes, http::response_head& head) {
  using what = head_result::what;
  head_result result;
  http::head_limits limits;
  limits.max_size = max_size;
  for (unsigned interim = 0; interim <= most_interim_responses; ++interim) {
    http::head_scanner scanner(limits);
    for (;;) {
      auto const state = u.in.size() == 0 ? http::head_scanner::state::need_more : scanner.scan(view_of(u.in));
      if (state == http::head_scanner::state::complete) break;
      if (state == http::head_scanner::state::bad) {
        result.kind = what::unacceptable;
        result.message = scanner.error().reason;
        co_return result;
      }
      auto const ec = co_await u.read_some(small_read, ctl);
      if (u.in.size() > 0) result.first_byte = true;
      if (!ec) continue;
      result.message = ec.message();
      result.error = ec;
      if (ctl.why() == interruption::timeout) {
        result.kind = what::timeout;
      } else if (ctl.fired()) {
        result.kind = what::interrupted;
      }
      co_return result;
    }
    bytes.assign(view_of(u.in).substr(0, scanner.size()));
    u.in.consume(scanner.size());
    if (auto const e = http::parse_response_head(bytes, method, head)) {
      result.kind = what::unacceptable;
      result.message = e->reason;
      co_return result;
    }
    if (head.status >= 200) {
      result.kind = what::ok;
      co_return result;
    }
    if (head.status == 101) break;
  }
  result.kind = what::unacceptable;
  result.message = "an interim response that nobody asked for";
  co_return result;
}

outgoing framing_for(const http::response_head& head, const request& r) {
  using kind = http::body_framing::kind;
  switch (head.body.how) {
    case kind::none:
      return outgoing::none;
    case kind::length:
      return outgoing::counted;
    case kind::chunked:
    case kind::until_close:
      break;
  }
  return r.http11 ? outgoing::chunked : outgoing::until_close;
}

task<relay_end> relay_body(client_connection& c, upstream_connection& u, const relay_limits& limits,
                           const http::body_framing& in, outgoing out, std::string_view prefix,
                           http::usage_reader* usage) {
  using state = body_splitter::state;
  auto const patience = limits.reading;
  body_splitter splitter(in);
  std::vector<asio::const_buffer> pieces;
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(4);  // the head, a chunk's size, its data and its end
  std::string chunk_size;
  std::size_t next_read = small_read;
  bool const empty = out == outgoing::none || splitter.current() == state::done;
  bool waiting = false;
  for (;;) {
    pieces.clear();
    auto const used = empty ? 0 : splitter.split(view_of(u.in), pieces);
    bool const last = empty || splitter.current() == state::done;
    std::size_t const data = asio::buffer_size(pieces);
    if (usage)
      for (auto const& p : pieces) usage->feed({static_cast<const char*>(p.data()), p.size()});
    // One write: the head if it is still here, all data that came as one chunk, and the end if it came too.
    buffers.clear();
    if (!prefix.empty()) buffers.push_back(asio::buffer(prefix));
    if (out == outgoing::chunked && data > 0) {
      chunk_size = fmt::format("{:x}\r\n", data);
      buffers.push_back(asio::buffer(chunk_size));
    }
    buffers.insert(buffers.end(), pieces.begin(), pieces.end());
    if (out == outgoing::chunked) {
      std::string_view const end = data > 0 ? (last ? "\r\n0\r\n\r\n" : "\r\n") : (last ? http::last_chunk : "");
      if (!end.empty()) buffers.push_back(asio::buffer(end));
    }
    if (!buffers.empty()) {
      error_code ec;
      if (!c.write_at_once(buffers, ec)) ec = co_await c.write_rest(buffers, patience);
      if (ec) co_return relay_end::client_gone;
      prefix = {};
    }
    u.in.consume(used);
    if (last) {
      c.ctl.clear();
      co_return relay_end::complete;
    }
    if (splitter.current() == state::broken) co_return relay_end::upstream_malformed;
    // Framing alone, such as chunk extensions, is silence: the deadline stays.
    if (data > 0 || !waiting) c.ctl.set(limits.idle);
    waiting = true;
    auto const ec = co_await u.read_some(next_read, c.ctl);
    if (ec) {
      c.ctl.clear();
      if (c.ctl.why() == interruption::client_gone) co_return relay_end::client_gone;
      splitter.ended(ec == asio::error::eof);
      bool const silent = c.ctl.why() == interruption::timeout;
      if (splitter.current() == state::broken) co_return silent ? relay_end::upstream_silent : relay_end::upstream_cut;
      if (out == outgoing::chunked) {
        auto const failed = co_await c.write(http::last_chunk, patience);
        if (failed) co_return relay_end::client_gone;
      }
      co_return relay_end::complete;
    }
    next_read = u.in.size() >= next_read ? large_read : next_read;
  }
}

task<bool> read_whole_body(upstream_connection& u, const http::body_framing& in, std::size_t most, duration patience,
                           interrupt& ctl, std::string& to) {
  using state = body_splitter::state;
  body_splitter splitter(in);
  std::vector<asio::const_buffer> pieces;
  ctl.set(patience);
  for (;;) {
    pieces.clear();
    auto const used = splitter.split(view_of(u.in), pieces);
    for (auto const& p : pieces) to.append(static_cast<const char*>(p.data()), p.size());
    u.in.consume(used);
    if (splitter.current() != state::more || to.size() > most) break;
    auto const before = u.in.size();
    auto const ec = co_await u.read_some(small_read, ctl);
    ctl.extend(time_for(u.in.size() - before), patience);
    if (!ec) continue;
    splitter.ended(ec == asio::error::eof);
    break;
  }
  ctl.clear();
  co_return splitter.current() == state::done&& to.size() <= most;
}

}  // namespace cooldown::net
