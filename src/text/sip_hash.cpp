#include "cooldown/text/sip_hash.hpp"

#include <algorithm>
#include <bit>

namespace cooldown {
namespace {

constexpr unsigned rounds_of_word = 2;
constexpr unsigned rounds_at_end = 4;

struct sip_state {
  std::uint64_t a, b, c, d;

  void round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }
  void take(std::uint64_t word) {
    d ^= word;
    for (unsigned i = 0; i < rounds_of_word; ++i) round();
    a ^= word;
  }
};

/// Up to eight bytes, the first one lowest.
std::uint64_t word_of(std::string_view bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(8, bytes.size()); ++i)
    word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return word;
}

}  // namespace

sip_key sip_key_of(std::string_view bytes) {
  return {word_of(bytes), word_of(bytes.substr(std::min<std::size_t>(8, bytes.size())))};
}

std::uint64_t sip_hash(const sip_key& key, std::string_view text) {
  sip_state s{key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU, key[0] ^ 0x6c7967656e657261U,
              key[1] ^ 0x7465646279746573U};
  auto const length = std::uint64_t{text.size()} << 56U;
  for (; text.size() >= 8; text.remove_prefix(8)) s.take(word_of(text));
  s.take(word_of(text) | length);
  s.c ^= 0xff;
  for (unsigned i = 0; i < rounds_at_end; ++i) s.round();
  return s.a ^ s.b ^ s.c ^ s.d;
}

}  // namespace cooldown
