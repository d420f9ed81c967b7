// How a message ends: the rules that requests and responses share (RFC 9112 §6).
#pragma once

#include "cooldown/http/head.hpp"

#include "head_parser.hpp"

namespace cooldown::http {

/// What Transfer-Encoding and Content-Length say together.
struct declared_framing {
  enum class kind {
    nothing,
    length,
    chunked,
    unknown_coding,  // a proper list that ends in chunked, with a coding before it that we don't have
    bad,
  };
  kind how = kind::nothing;
  std::uint64_t length = 0;
  const char* reason = "";
};

declared_framing declared_framing_of(const field_notes& notes, bool http11);

}  // namespace cooldown::http
