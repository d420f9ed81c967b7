// What identifies a limit: what it counts, and over how long.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cooldown/time.hpp"

namespace cooldown {

/// What a limit counts. If a provider keeps two buckets of tokens, `tokens` are the uncached ones, the main limit, and
/// `total_tokens` includes cached input.
enum class resource : std::uint8_t { requests, tokens, total_tokens, input_tokens, output_tokens };
inline constexpr std::size_t resource_count = 5;

/// The period of a limit: whole seconds, from one to 30 days.
class window {
 public:
  static const window second, minute, hour, day, month;

  /// nullopt: not whole seconds, or no period that a limit has.
  static constexpr std::optional<window> of(duration length);

  constexpr duration length() const { return std::chrono::seconds{seconds_}; }
  friend constexpr auto operator<=>(const window&, const window&) = default;

 private:
  constexpr explicit window(std::uint32_t seconds) : seconds_(seconds) {}

  std::uint32_t seconds_;
};
inline constexpr window window::second{1};
inline constexpr window window::minute{60};
inline constexpr window window::hour{3'600};
inline constexpr window window::day{86'400};
inline constexpr window window::month{30 * 86'400};

constexpr std::optional<window> window::of(duration length) {
  if (length % std::chrono::seconds{1} != duration::zero() || length < second.length() || length > month.length())
    return std::nullopt;
  return window(static_cast<std::uint32_t>(length / std::chrono::seconds{1}));
}

struct limit_id {
  resource counts = resource::tokens;
  window over = window::minute;
  friend constexpr auto operator<=>(const limit_id&, const limit_id&) = default;
};

const char* name_of(resource r);
/// "minute", or "10s" where there is no word for it.
std::string name_of(window w);

/// More limits of one scope than any provider is known to have. Further ones are ignored.
inline constexpr std::size_t most_limits = 12;

/// A value for each of a few limits, in the order in which they came.
template <class T>
class per_limit {
 public:
  struct entry {
    limit_id id;
    T value;
    bool operator==(const entry&) const = default;
  };

  const T* find(limit_id id) const {
    auto const* const found = std::find_if(begin(), end(), [&](const entry& e) { return e.id == id; });
    return found == end() ? nullptr : &found->value;
  }
  T* find(limit_id id) { return const_cast<T*>(std::as_const(*this).find(id)); }

  /// Creates it if needed. nullptr: there are too many others.
  T* get(limit_id id) {
    if (auto* const found = find(id)) return found;
    if (size_ == most_limits) return nullptr;
    entries_[size_] = {id, {}};
    return &entries_[size_++].value;
  }

  const entry* begin() const { return entries_.data(); }
  const entry* end() const { return entries_.data() + size_; }
  entry* begin() { return entries_.data(); }
  entry* end() { return entries_.data() + size_; }
  bool operator==(const per_limit& o) const { return std::equal(begin(), end(), o.begin(), o.end()); }

 private:
  std::array<entry, most_limits> entries_;
  std::size_t size_ = 0;
};

}  // namespace cooldown
