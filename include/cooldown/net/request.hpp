// A request as the session has read and judged it: nothing in it points into the connection's buffer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cooldown/exchange/body_room.hpp"
#include "cooldown/http/content_coding.hpp"
#include "cooldown/http/endpoint.hpp"
#include "cooldown/http/head.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/time.hpp"

namespace cooldown::config {
struct settings;
}

namespace cooldown::net {

/// Bytes that grow without being zeroed first, with room behind them for simdjson to read ahead.
class body_buffer {
 public:
  static constexpr std::size_t padding = 64;

  std::string_view view() const { return {data_.get(), size_}; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return data_ ? capacity_ + padding : 0; }

  /// Room for at least one byte, and for `expected` if given; at least doubles, so appending costs O(1) a byte.
  std::pair<char*, std::size_t> prepare(std::size_t expected = 0);
  void commit(std::size_t n) { size_ += n; }
  void append(std::string_view text);
  void clear() { *this = {}; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// A request's part of the room for bodies, given back at its end.
class body_share {
 public:
  explicit body_share(body_room& room) : room_(room) {}
  ~body_share() { clear(); }
  body_share(const body_share&) = delete;
  body_share& operator=(const body_share&) = delete;

  /// Whose part it is; to be said before it grows.
  void belongs_to(std::uint64_t client) { client_ = client; }

  body_room::answer grow(std::size_t n, const body_room::bounds& b) {
    auto const a = room_.take(client_, mine_, n, b);
    if (a == body_room::answer::taken) mine_ += n;
    note_memory_held(room_.total());
    return a;
  }
  void clear() {
    room_.give_back(client_, std::exchange(mine_, 0));
    note_memory_held(room_.total());
  }

 private:
  body_room& room_;
  std::uint64_t client_ = 0;
  std::size_t mine_ = 0;
};

struct request {
  explicit request(body_room& bodies) : share(bodies) {}

  std::uint64_t id = 0;
  std::string head_bytes;   // as they came
  http::request_head head;  // points into them
  std::shared_ptr<const config::settings> read_under;
  std::string method;
  std::string target;  // origin form
  bool http11 = true;
  bool keep_alive = true;
  http::body_framing framing;

  bool metered = false;                                          // generates text or embeds it: costs tokens
  http::endpoint asks = http::endpoint::other;                   // by its path, of a POST
  std::uint64_t credential = 0;                                  // towards the provider: a salted hash
  std::uint64_t key = 0;                                         // that the client sent: a salted hash
  std::optional<duration> prefer_wait;                           // Prefer: wait=N (RFC 7240 §4.3)
  std::optional<duration> timeout;                               // when the client gives up, if it says so
  std::optional<std::uint8_t> urgency;                           // Priority: u=N (RFC 9218)
  http::content_coding coding = http::content_coding::identity;  // of the body
  bool expect_continue = false;
  bool last_hop = false;  // OPTIONS with Max-Forwards: 0: we are its recipient (RFC 9110 §7.6.2)

  bool json_body = false;           // Content-Type: application/json
  bool wants_open_metrics = false;  // Accept names application/openmetrics-text
  bool preflight = false;           // of a page that may ask: answered here

  std::string cors;  // field lines for its answer, whatever that is
  body_buffer body;
  body_share share;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  bool is_head() const { return method == "HEAD"; }

  /// What is kept in order to send it (again) is not needed any more.
  void sent_for_good() {
    body.clear();
    share.clear();
    head = {};
    std::string().swap(head_bytes);
  }
};

}  // namespace cooldown::net
