// Where a message ends: the rules that requests and responses share (RFC 9112 §6).
#pragma once

#include "cooldown/http/head.hpp"

#include "head_parser.hpp"

namespace cooldown::http {

/// The result of Transfer-Encoding and Content-Length together.
struct declared_framing {
  enum class kind {
    nothing,
    length,
    chunked,
    unknown_coding,  // a valid list that ends in chunked, with an unsupported coding before it
    bad,
  };
  kind how = kind::nothing;
  std::uint64_t length = 0;
  const char* reason = "";
};

declared_framing declared_framing_of(const field_notes& notes, bool http11);

}  // namespace cooldown::http
