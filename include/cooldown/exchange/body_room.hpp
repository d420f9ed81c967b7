// Who may hold how much of the memory for request bodies, cerebras.queue.max_bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace cooldown {

/// One client may hold three times what it leaves free, so that others find room however much it sends. Small bodies go
/// further, also those of that client: it may hold seven times what it leaves free with them, and the last sixteenth is
/// theirs alone. As far as there is room at all, each client may have as much as one body can be.
class body_room {
 public:
  static constexpr std::size_t small_body = 64 * 1024;

  struct bounds {
    std::size_t most;          // bytes of all bodies together
    std::size_t largest_body;  // bytes of one; not more than `most`
  };

  enum class answer : std::uint8_t {
    taken,
    full,           // of the bodies of all clients
    share_used_up,  // by the bodies of this client
  };

  /// `client` needs `n` bytes more for a body of which `size` bytes are here.
  answer take(std::uint64_t client, std::size_t size, std::size_t n, const bounds& b);
  void give_back(std::uint64_t client, std::size_t n);

  /// Most of what was held some time ago is held no more, and it is worth giving back to the system. Once for each
  /// time.
  bool has_emptied();

  std::size_t total() const { return total_; }
  std::size_t clients() const { return held_.size(); }

 private:
  std::size_t total_ = 0;
  std::size_t peak_ = 0;
  std::unordered_map<std::uint64_t, std::size_t> held_;  // by client; none holds 0
};

}  // namespace cooldown
