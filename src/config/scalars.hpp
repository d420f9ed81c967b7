// Converts one scalar of the configuration between text and value. Nothing here echoes a value: the caller decides
// whether it may be shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace cooldown::config {

/// Why a value was rejected. `why` never contains the value; `hint`, which follows it, may, and is left out if the
/// value must not be shown. `hide`: the value may be a secret even under this key.
struct rejection {
  std::string why;
  bool hide = false;
  std::string hint = {};
};

template <class T>
using reading = std::variant<T, rejection>;

/// Decimal digits, within [low, high].
reading<std::uint64_t> read_integer(std::string_view text, std::uint64_t low, std::uint64_t high);

/// true or false, as YAML's core schema spells them.
reading<bool> read_boolean(std::string_view text);

/// "250ms", "1.5s", "1h30m"; exact to the millisecond; a bare 0 needs no unit.
reading<std::chrono::milliseconds> read_duration(std::string_view text, std::chrono::milliseconds low,
                                                 std::chrono::milliseconds high);

/// "64KiB", "1.5GiB", "1MB", or plain bytes.
reading<std::uint64_t> read_size(std::string_view text, std::uint64_t low, std::uint64_t high);

/// A decimal number such as 2 or 0.25, within [low, high].
reading<double> read_decimal(std::string_view text, double low, double high);

/// A credential: visible ASCII, or empty. Anything else could smuggle a header, or is a copying mistake.
reading<std::string> read_secret(std::string_view text);

/// A file name, or empty.
reading<std::string> read_path(std::string_view text);

/// As a person would write it; the readers above read it back.
std::string show_duration(std::chrono::milliseconds value);
std::string show_size(std::uint64_t bytes);

/// For a message: in visible ASCII, other bytes as \xNN, cut to `longest` bytes.
std::string printable(std::string_view text, std::size_t longest = 60);

/// The same in single quotes.
std::string in_quotes(std::string_view text);

}  // namespace cooldown::config
