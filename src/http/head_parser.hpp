// Takes a complete head apart: views of its lines, and the facts that our checks need.
#pragma once

#include <string_view>
#include <vector>

#include "cooldown/http/head.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

/// The facts that framing and connection management depend on, collected while parsing.
struct field_notes {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  unsigned hosts = 0;
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  bool close = false;       // among the tokens of all Connection lines
  bool keep_alive = false;  // likewise
  bool expects_continue = false;
  bool expects_else = false;

  /// nullptr, or why the field cannot be.
  const char* take(const header_field& f);

  /// RFC 9112 §9.3.
  bool is_persistent(bool http11) const { return !close && (http11 || keep_alive); }
};

/// Moves the first line from the front of `rest` to `line`, without its CRLF. nullptr, or why there is none: a control
/// character, a CR or an LF that is not part of that CRLF is an error.
const char* next_line(std::string_view& rest, std::string_view& line);

/// Takes the field lines and the empty line apart, which must be all of `bytes`. nullptr, or why they are none.
const char* take_fields(std::string_view bytes, std::vector<header_field>& fields, field_notes& notes);

/// True for "HTTP/1.1" and "HTTP/1.0"; `http11` tells which.
bool is_known_version(std::string_view text, bool& http11);

}  // namespace cooldown::http
