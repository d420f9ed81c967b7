// Content codings (RFC 9110 §8.4.1), undone for reading only: what is passed on stays as it came.
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
  other,  // br, zstd, several at once, or unknown: not read
};

/// What the Content-Encoding fields say, `identity` and empty members left out.
content_coding coding_of(header_view fields);

/// Undoes gzip and deflate (with or without zlib's wrapper) piece by piece, in 48 KiB. What grows beyond all measure is
/// not undone to its end: a few bytes must not cost seconds.
class inflater {
 public:
  inflater();
  ~inflater();

  /// Calls `use` with what has become readable. False: what came is broken or grows too much, now or before.
  bool feed(std::string_view coded, const std::function<void(std::string_view)>& use);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// What `coded` holds, as far as it goes; empty when it is broken, or holds more than `most`.
std::string inflated(std::string_view coded, std::size_t most);

/// A body that was read whole, as text; as it came where the coding is not read.
std::string plain_body(std::string_view body, content_coding coding, std::size_t most);

}  // namespace cooldown::http
