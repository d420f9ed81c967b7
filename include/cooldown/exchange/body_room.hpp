// Shares the memory for request bodies, cerebras.queue.max_bytes, among clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace cooldown {

/// One client may hold at most three times as much as is left free, so that others find room however much it sends;
/// with small bodies, seven times. The last sixteenth is reserved for small bodies. As long as there is room, each
/// client may hold one body of the largest size.
///
/// A client without a token can pretend to be any number of clients, so what comes from one network is limited as well:
/// to seven times as much as is left free, with small bodies fifteen times. So another client of
/// the same network still finds room beside one that holds all it may.
class body_room {
 public:
  static constexpr std::size_t small_body = 64 * 1024;

  struct bounds {
    std::size_t most;          // bytes of all bodies together
    std::size_t largest_body;  // bytes of one; not more than `most`
  };

  enum class answer : std::uint8_t {
    taken,
    full,           // the bodies of all clients use up the memory
    share_used_up,  // this client's bodies, or those of its network, use up their share
  };

  struct owner {
    std::uint64_t client = 0;
    std::uint64_t network = 0;  // for a client with a token: a number unique to it
  };

  /// Takes `n` more bytes for a body of `of`, of which `size` bytes have been read.
  answer take(const owner& of, std::size_t size, std::size_t n, const bounds& b);
  void give_back(const owner& of, std::size_t n);

  /// True if most of the memory held earlier has been freed, and returning it to the system is worthwhile. True only
  /// once each time.
  bool has_emptied();

  std::size_t total() const { return total_; }
  std::size_t clients() const { return clients_.size(); }

 private:
  using accounts = std::unordered_map<std::uint64_t, std::size_t>;  // bytes; none holds 0

  std::size_t total_ = 0;
  std::size_t peak_ = 0;
  accounts clients_;
  accounts networks_;
};

}  // namespace cooldown
