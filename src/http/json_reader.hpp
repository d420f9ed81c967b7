// simdjson's on-demand parser with padding and reuse; it keeps no memory after a huge document.
#pragma once

#include <cmath>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace cooldown::http {

namespace ondemand = simdjson::ondemand;

/// The buffer for a document's strings. Null when there was no memory for it, which simdjson does not check.
class document_strings : public ondemand::document {
 public:
  static const std::uint8_t* of(ondemand::document& d) { return (d.*&document_strings::iter).string_buf_loc(); }
};

/// Parsing is synchronous and never nested, so one parser per thread suffices.
class shared_parser {
 public:
  shared_parser() = default;
  ~shared_parser() {
    if (parser().capacity() > keep_at_most) parser() = ondemand::parser();
  }
  shared_parser(const shared_parser&) = delete;
  shared_parser& operator=(const shared_parser&) = delete;

  /// False when it is not JSON. Throws std::bad_alloc.
  static bool begin(std::string_view json, std::size_t capacity, ondemand::document& out) {
    auto const error = parser().iterate(json, capacity).get(out);
    if (error == simdjson::MEMALLOC || (error == simdjson::SUCCESS && !document_strings::of(out))) {
      parser() = ondemand::parser();  // after a failed allocation it reports a larger capacity than it has
      throw std::bad_alloc();
    }
    return error == simdjson::SUCCESS;
  }

 private:
  // A parser holds about seven times the size of its largest document.
  static constexpr std::size_t keep_at_most = 4u << 20;

  static ondemand::parser& parser() {
    thread_local ondemand::parser one;
    return one;
  }
};

/// Calls `use(document)` for `json`; returns its result, or false if `json` is not JSON. `capacity` is the size of the
/// allocation that holds `json`; if it is too small, `json` is copied.
template <class F>
bool with_json(std::string_view json, std::size_t capacity, F use) {
  std::string padded;
  if (capacity < json.size() + simdjson::SIMDJSON_PADDING) {
    padded.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    padded.assign(json);
    json = padded;
    capacity = padded.capacity();
  }
  shared_parser const kept;
  ondemand::document document;
  return shared_parser::begin(json, capacity, document) && use(document);
}

/// True if nothing follows the value that was read.
inline bool is_at_end(ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

/// The name of a field with its escapes decoded, so that "\u006dodel" is recognized as the model. Empty if it cannot be
/// decoded. Call it once per field.
inline std::string_view key_of(ondemand::field& field) {
  std::string_view key;
  if (field.unescaped_key().get(key) != simdjson::SUCCESS) return {};
  return key;
}

/// A number that is not negative, fractions rounded up: JSON does not distinguish 10.0 from 10 (RFC 8259 §6). nullopt
/// for anything else, and for numbers that are too large.
inline std::optional<std::uint64_t> number_rounded_up(ondemand::value& value) {
  constexpr double too_large = 18446744073709551616.0;
  std::uint64_t n = 0;
  if (value.get_uint64().get(n) == simdjson::SUCCESS) return n;
  double d = 0;
  if (value.get_double().get(d) != simdjson::SUCCESS || !(d >= 0) || d >= too_large) return std::nullopt;
  return static_cast<std::uint64_t>(std::ceil(d));
}

}  // namespace cooldown::http
