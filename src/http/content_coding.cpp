#include "cooldown/http/content_coding.hpp"

#include <array>

#include <zlib.h>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

// Text compresses to a tenth, streams of similar events to a thirtieth; a higher ratio is an attack.
constexpr std::uint64_t largest_ratio = 100;
constexpr std::uint64_t free_bytes = 256 * 1024;  // that any body may have

constexpr int any_wrapper = MAX_WBITS + 32;  // gzip's or zlib's, by what it begins with
constexpr int no_wrapper = -MAX_WBITS;
constexpr unsigned char gzip_start = 0x1f;
constexpr unsigned zlib_method = 8;  // in the low half of the first byte

bool is_wrapped(char first) {
  auto const byte = static_cast<unsigned char>(first);
  return byte == gzip_start || (byte & 0xfU) == zlib_method;
}

bool is_zlib(std::string_view coding) {
  return iequals(coding, "gzip") || iequals(coding, "x-gzip") || iequals(coding, "deflate");
}

}  // namespace

content_coding coding_of(header_view fields) {
  auto found = content_coding::identity;
  for (auto const& f : fields) {
    if (!iequals(f.name, "content-encoding")) continue;
    for (std::string_view rest = f.value, coding; next_token(rest, ',', coding);) {
      if (coding.empty() || iequals(coding, "identity")) continue;
      bool const first = found == content_coding::identity;
      found = first && is_zlib(coding) ? content_coding::zlib : content_coding::other;
    }
  }
  return found;
}

struct inflater::state {
  z_stream z{};
  bool begun = false;
  bool failed = false;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::array<char, 4096> buffer{};

  ~state() {
    if (begun) inflateEnd(&z);
  }
  void begin(char first) {
    failed = inflateInit2(&z, is_wrapped(first) ? any_wrapper : no_wrapper) != Z_OK;
    begun = !failed;
  }
  /// One step; false: the input yields nothing more.
  bool step(const std::function<void(std::string_view)>& use) {
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = static_cast<uInt>(buffer.size());
    auto const result = inflate(&z, Z_NO_FLUSH);
    auto const made = buffer.size() - z.avail_out;
    out += made;
    if (made > 0) use({buffer.data(), made});
    failed = (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) ||
             out > free_bytes + largest_ratio * (in - z.avail_in);
    if (failed || result == Z_BUF_ERROR) return false;
    // Several gzip members may follow each other (RFC 1952 §2.2).
    if (result == Z_STREAM_END) failed = inflateReset(&z) != Z_OK;
    return !failed && (z.avail_in > 0 || z.avail_out == 0);
  }
};

inflater::inflater() : state_(std::make_unique<state>()) {}
inflater::~inflater() = default;

bool inflater::feed(std::string_view coded, const std::function<void(std::string_view)>& use) {
  auto& s = *state_;
  while (!coded.empty() && !s.failed) {
    if (!s.begun) s.begin(coded.front());
    if (s.failed) break;
    auto const piece = coded.substr(0, UINT32_MAX / 2);
    coded.remove_prefix(piece.size());
    // zlib only reads from it, although the type is not const.
    s.z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    s.z.avail_in = static_cast<uInt>(piece.size());
    s.in += piece.size();
    while (s.step(use)) {
    }
  }
  return !s.failed;
}

std::string inflated(std::string_view coded, std::size_t most) {
  std::string out;
  inflater undo;
  bool const sound = undo.feed(coded, [&](std::string_view piece) {
    if (out.size() <= most) out += piece;
  });
  if (!sound || out.size() > most) out.clear();
  return out;
}

std::string plain_body(std::string_view body, content_coding coding, std::size_t most) {
  return coding == content_coding::zlib ? inflated(body, most) : std::string(body);
}

}  // namespace cooldown::http
