// simdjson's on-demand parser with what every use of it needs: padding, reuse, and no memory kept after a huge
// document.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace cooldown::http {

namespace ondemand = simdjson::ondemand;

/// Calls `use(document)` for `json`; false when it is not JSON at all, else what `use` returns. `capacity` is the size
/// of the allocation behind `json`; too small a one costs a copy.
template <class F>
bool with_json(std::string_view json, std::size_t capacity, F use) {
  // Parsing is synchronous and never nested, so one parser per thread will do.
  thread_local ondemand::parser parser;
  // A parser holds about seven times the size of its largest document.
  constexpr std::size_t keep_at_most = 4u << 20;

  std::string padded;
  if (capacity < json.size() + simdjson::SIMDJSON_PADDING) {
    padded.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    padded.assign(json);
    json = padded;
    capacity = padded.capacity();
  }
  bool ok = false;
  {
    ondemand::document document;
    ok = parser.iterate(json, capacity).get(document) == simdjson::SUCCESS && use(document);
  }
  if (parser.capacity() > keep_at_most) parser = ondemand::parser{};
  return ok;
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
