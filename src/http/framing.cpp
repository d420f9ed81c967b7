#include "framing.hpp"

#include "cooldown/text/ascii.hpp"

#include "syntax.hpp"

namespace cooldown::http {
namespace {

using kind = declared_framing::kind;

// No legitimate body is larger, and arithmetic on lengths up to this cannot overflow.
constexpr std::size_t most_length_digits = 15;

declared_framing bad(const char* reason) {
  return {kind::bad, 0, reason};
}

/// token *( "," token ), ending in chunked and naming it once: a message whose end could be found, but whose content
/// could not be decoded.
bool is_coded_and_chunked(std::string_view list) {
  std::string_view token;
  unsigned chunked = 0;
  while (next_token(list, ',', token)) {
    if (!is_token(token)) return false;
    chunked += iequals(token, "chunked") ? 1u : 0u;
  }
  return chunked == 1 && iequals(token, "chunked");
}

declared_framing coded(const field_notes& notes, bool http11) {
  if (notes.content_lengths > 0) return bad("Transfer-Encoding beside Content-Length");
  if (notes.transfer_encodings > 1) return bad("several Transfer-Encoding lines");
  if (!http11) return bad("Transfer-Encoding in HTTP/1.0");
  if (iequals(notes.transfer_encoding, "chunked")) return {kind::chunked, 0, ""};
  if (is_coded_and_chunked(notes.transfer_encoding))
    return {kind::unknown_coding, 0, "a transfer coding other than chunked"};
  return bad("Transfer-Encoding is not chunked");
}

}  // namespace

declared_framing declared_framing_of(const field_notes& notes, bool http11) {
  if (notes.transfer_encodings > 0) return coded(notes, http11);
  if (notes.content_lengths == 0) return {};
  if (notes.content_lengths > 1) return bad("several Content-Length lines");
  auto const digits = notes.content_length;
  auto const length = parse_u64(digits);
  if (!length || digits.size() > most_length_digits) return bad("Content-Length is not a number of 1 to 15 digits");
  return {kind::length, *length, ""};
}

}  // namespace cooldown::http
