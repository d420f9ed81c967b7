#include "characters.hpp"

#include <algorithm>
#include <cstring>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr std::uint64_t ones = 0x0101010101010101u;
constexpr std::uint64_t tops = 0x8080808080808080u;

// Of every `stride` bytes only the first `block` are examined: enough to distinguish prose from code, for a quarter of
// the cost.
constexpr std::size_t block = 64;
constexpr std::size_t stride = 256;
constexpr std::uint64_t most_prose = 56;  // letters and blanks of a block: prose has more, code and tables have fewer

std::uint64_t eight_bytes(const char* at) {
  std::uint64_t eight = 0;
  std::memcpy(&eight, at, sizeof eight);
  return eight;
}

std::uint64_t sum_of_lanes(std::uint64_t lanes) {
  constexpr std::uint64_t even = 0x00ff00ff00ff00ffu;
  return (((lanes & even) + ((lanes >> 8u) & even)) * 0x0001000100010001u) >> 48u;
}

struct wide_bytes {
  std::uint64_t all = 0;            // of characters beyond ASCII
  std::uint64_t continuations = 0;  // 10xxxxxx

  std::uint64_t characters() const { return all - continuations; }
};

/// The number of bytes before the first 32 of which any is beyond ASCII, or before the last, incomplete 32.
std::size_t plain_front(std::string_view bytes) {
  std::size_t at = 0;
  for (; bytes.size() - at >= 32; at += 32) {
    auto const* const here = bytes.data() + at;
    if (((eight_bytes(here) | eight_bytes(here + 8) | eight_bytes(here + 16) | eight_bytes(here + 24)) & tops) != 0)
      break;
  }
  return at;
}

/// Eight bytes at a time. Each byte lane counts up to 255 before the lanes are added.
wide_bytes count_wide_bytes(std::string_view bytes) {
  wide_bytes total;
  std::size_t at = plain_front(bytes);
  while (bytes.size() - at >= 8) {
    std::uint64_t all = 0;
    std::uint64_t continuations = 0;
    for (unsigned round = 0; round < 255 && bytes.size() - at >= 8; ++round, at += 8) {
      auto const eight = eight_bytes(bytes.data() + at);
      auto const wide = (eight >> 7u) & ones;
      all += wide;
      continuations += wide & ~(eight >> 6u);
    }
    total.all += sum_of_lanes(all);
    total.continuations += sum_of_lanes(continuations);
  }
  for (; at < bytes.size(); ++at) {
    auto const byte = static_cast<unsigned char>(bytes[at]);
    total.all += byte >> 7u;
    total.continuations += (byte & 0xc0u) == 0x80u ? 1u : 0u;
  }
  return total;
}

enum class block_kind : std::uint8_t { prose, code, dense };

/// Base64 and the like have no blanks and little punctuation; prose consists almost entirely of letters and blanks.
block_kind kind_of(const char* at) {
  std::uint64_t prose = 0;  // counted in each byte lane
  std::uint64_t low = 0;    // bytes below '+'
  for (std::size_t i = 0; i < block; i += 8) {
    auto const eight = eight_bytes(at + i);
    auto const seven = eight & ~tops;
    auto const lower = seven | (ones * 0x20u);
    auto const from_a = lower + ones * (0x80u - 'a');
    auto const beyond_z = lower + ones * (0x7fu - 'z');
    auto const no_blank = (seven ^ (ones * 0x20u)) + ones * 0x7fu;
    prose += ((from_a & ~beyond_z) | ~no_blank | eight) >> 7u & ones;
    low |= ~(seven + ones * (0x80u - '+')) & ~eight & tops;
  }
  if (low == 0) return block_kind::dense;
  return sum_of_lanes(prose) > most_prose ? block_kind::prose : block_kind::code;
}

/// Distributes ASCII characters over the kinds found in samples.
character_kinds kinds_of(std::string_view text, std::uint64_t ascii) {
  std::uint64_t samples = 0;
  character_kinds seen;
  for (std::size_t at = 0; text.size() - at >= block; at += std::min(stride, text.size() - at), ++samples) {
    auto const kind = kind_of(text.data() + at);
    seen.code += kind == block_kind::code ? 1u : 0u;
    seen.dense += kind == block_kind::dense ? 1u : 0u;
  }
  if (samples == 0) return {};
  auto const share = [&](std::uint64_t n) {
    return static_cast<std::uint64_t>(static_cast<double>(ascii) * static_cast<double>(n) /
                                      static_cast<double>(samples));
  };
  return {.code = share(seen.code), .other = 0, .dense = share(seen.dense)};
}

/// \u0080 and beyond.
bool is_wide(std::string_view hex) {
  return hex[0] != '0' || hex[1] != '0' || hex[2] >= '8';
}

/// \uDC00 to \uDFFF.
bool is_low_surrogate(std::string_view hex) {
  auto const second = ascii_lower(hex[1]);
  return ascii_lower(hex[0]) == 'd' && second >= 'c' && second <= 'f';
}

}  // namespace

std::uint64_t count_characters(std::string_view utf8) {
  return utf8.size() - count_wide_bytes(utf8).continuations;
}

measured_text measure_json(std::string_view utf8) {
  auto const wide = count_wide_bytes(utf8);
  auto const chars = utf8.size() - wide.continuations;
  return {.chars = chars, .kinds = {.code = chars - wide.characters(), .other = wide.characters(), .dense = 0}};
}

measured_text measure_escaped(std::string_view text) {
  auto const wide = count_wide_bytes(text);
  auto const count = text.size() - wide.continuations;
  std::uint64_t spent_on_escapes = 0;
  std::uint64_t escaped_wide = 0;
  for (auto at = text.find('\\'); at != std::string_view::npos && at + 1 < text.size(); at = text.find('\\', at)) {
    if (text[at + 1] == 'u' && text.size() - at >= 6) {
      auto const hex = text.substr(at + 2, 4);
      spent_on_escapes += is_low_surrogate(hex) ? 6u : 5u;
      escaped_wide += is_wide(hex) && !is_low_surrogate(hex) ? 1u : 0u;
      at += 6;
    } else {
      spent_on_escapes += 1;
      at += 2;
    }
  }
  // What is not JSON must not wrap around.
  auto const chars = count - std::min(count, spent_on_escapes);
  auto const other = std::min(chars, wide.characters() + escaped_wide);
  auto kinds = kinds_of(text, chars - other);
  kinds.other = other;
  return {.chars = chars, .kinds = kinds};
}

std::uint64_t count_escaped_characters(std::string_view between_quotes) {
  return measure_escaped(between_quotes).chars;
}

}  // namespace cooldown::http
