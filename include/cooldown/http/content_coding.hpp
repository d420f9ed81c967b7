// Decodes content codings (RFC 9110 §8.4.1), for reading only: what is passed on stays unchanged.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

enum class content_coding : std::uint8_t {
  identity,
  zlib,   // gzip, x-gzip or deflate
  other,  // br, zstd, several at once, or unknown: not decoded
};

/// The coding in the Content-Encoding headers; `identity` and empty members are ignored.
content_coding coding_of(header_view fields);

/// Decodes gzip and deflate (with or without zlib's wrapper) piece by piece, in 48 KiB. It stops if the data grows too
/// much: a few bytes must not cost seconds.
class inflater {
 public:
  inflater();
  ~inflater();

  /// Calls `use` with the decoded data. False: the data is invalid or has grown too much, now or before.
  bool feed(std::string_view coded, const std::function<void(std::string_view)>& use);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// The decoded data; empty if it is invalid or longer than `most`.
std::string inflated(std::string_view coded, std::size_t most);

/// A complete body, decoded if its coding is known, otherwise unchanged.
std::string plain_body(std::string_view body, content_coding coding, std::size_t most);

}  // namespace cooldown::http
