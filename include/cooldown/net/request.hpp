// A request as read and checked by the session; nothing in it points into the connection's buffer.
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

/// A growing buffer that is not zeroed first, with room at its end for simdjson to read ahead.
class body_buffer {
 public:
  static constexpr std::size_t padding = 64;

  std::string_view view() const { return {data_.get(), size_}; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return data_ ? capacity_ + padding : 0; }

  /// Returns room for at least one byte, and for `expected` if given. At least doubles, so that appending costs O(1)
  /// per byte.
  std::pair<char*, std::size_t> prepare(std::size_t expected = 0);
  void commit(std::size_t n) { size_ += n; }
  /// `expected`: the size that the whole body will have, if that is known.
  void append(std::string_view text, std::size_t expected = 0);
  void clear() { *this = {}; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// A request's part of the memory for bodies; the destructor gives it back.
class body_share {
 public:
  explicit body_share(body_room& room) : room_(room) {}
  ~body_share() { clear(); }
  body_share(const body_share&) = delete;
  body_share& operator=(const body_share&) = delete;

  /// Sets the owner; to be called before grow().
  void belongs_to(const body_room::owner& whose) { owner_ = whose; }

  body_room::answer grow(std::size_t n, const body_room::bounds& b) {
    auto const a = room_.take(owner_, mine_, n, b);
    if (a == body_room::answer::taken) mine_ += n;
    note_memory_held(room_.total());
    return a;
  }
  void clear() {
    room_.give_back(owner_, std::exchange(mine_, 0));
    note_memory_held(room_.total());
  }

 private:
  body_room& room_;
  body_room::owner owner_;
  std::size_t mine_ = 0;
};

struct request {
  explicit request(body_room& bodies) : share(bodies) {}

  std::uint64_t id = 0;
  std::string head_bytes;   // unchanged
  http::request_head head;  // points into them
  std::shared_ptr<const config::settings> read_under;
  std::string method;
  std::string target;  // origin form
  bool http11 = true;
  bool keep_alive = true;
  http::body_framing framing;

  bool metered = false;                                          // generates text or embeddings: costs tokens
  http::endpoint asks = http::endpoint::other;                   // the endpoint of a POST
  std::uint64_t key = 0;                                         // sent by the client: a salted hash
  std::optional<duration> prefer_wait;                           // Prefer: wait=N (RFC 7240 §4.3)
  std::optional<duration> timeout;                               // the client's own timeout, if it sent one
  std::optional<std::uint8_t> urgency;                           // Priority: u=N (RFC 9218)
  http::content_coding coding = http::content_coding::identity;  // of the body
  bool expect_continue = false;
  bool last_hop = false;  // OPTIONS with Max-Forwards: 0: we are its recipient (RFC 9110 §7.6.2)

  bool json_body = false;           // Content-Type: application/json
  bool wants_open_metrics = false;  // Accept names application/openmetrics-text
  bool preflight = false;           // an allowed preflight: answered here

  std::string cors;  // CORS header lines for its answer
  body_buffer body;
  body_share share;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  bool is_head() const { return method == "HEAD"; }

  /// Frees what is no longer needed because the request will not be sent again.
  void sent_for_good() {
    body.clear();
    share.clear();
    head = {};
    std::string().swap(head_bytes);
  }
};

}  // namespace cooldown::net
