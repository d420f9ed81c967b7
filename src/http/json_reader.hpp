// simdjson's on-demand parser with what every use of it needs: padding, reuse, and no memory kept after a huge
// document.
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

/// Where a document's strings go. Null when there was no memory for it: simdjson does not look.
class document_strings : public ondemand::document {
 public:
  static const std::uint8_t* of(ondemand::document& d) { return (d.*&document_strings::iter).string_buf_loc(); }
};

/// Parsing is synchronous and never nested, so one parser per thread will do.
class shared_parser {
 public:
  shared_parser() = default;
  ~shared_parser() {
    if (parser().capacity() > keep_at_most) parser() = ondemand::parser();
  }
  shared_parser(const shared_parser&) = delete;
  shared_parser& operator=(const shared_parser&) = delete;

  /// False when it is no JSON. Throws std::bad_alloc.
  static bool begin(std::string_view json, std::size_t capacity, ondemand::document& out) {
    auto const error = parser().iterate(json, capacity).get(out);
    if (error == simdjson::MEMALLOC || (error == simdjson::SUCCESS && !document_strings::of(out))) {
      parser() = ondemand::parser();  // it takes itself for larger than it is
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

/// Calls `use(document)` for `json`; false when it is not JSON at all, else what `use` returns. `capacity` is the size
/// of the allocation behind `json`; too small a one costs a copy.
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

/// True when nothing follows the value that was read.
inline bool is_at_end(ondemand::document& document) {
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

/// The name of a field with its escapes undone, so that "\u006dodel" is no way around a look at the model. Empty when
/// it cannot be decoded. Call it once per field.
inline std::string_view key_of(ondemand::field& field) {
  std::string_view key;
  if (field.unescaped_key().get(key) != simdjson::SUCCESS) return {};
  return key;
}

/// A number that is not negative, a fraction rounded up: JSON does not tell 10.0 from 10 (RFC 8259 §6). nullopt for
/// anything else, and for what is too large.
inline std::optional<std::uint64_t> number_rounded_up(ondemand::value& value) {
  constexpr double too_large = 18446744073709551616.0;
  std::uint64_t n = 0;
  if (value.get_uint64().get(n) == simdjson::SUCCESS) return n;
  double d = 0;
  if (value.get_double().get(d) != simdjson::SUCCESS || !(d >= 0) || d >= too_large) return std::nullopt;
  return static_cast<std::uint64_t>(std::ceil(d));
}

}  // namespace cooldown::http
