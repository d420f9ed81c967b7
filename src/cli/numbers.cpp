#include "numbers.hpp"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

namespace cooldown::cli {

std::string grouped(double n) {
  auto digits = fmt::format("{:.0f}", std::max(0.0, n));
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::string seconds_text(double s) {
  if (s < 1) return fmt::format("{:.0f} ms", s * 1000);
  if (s < 120) return fmt::format("{:.1f} s", s);
  if (s < 7200) return fmt::format("{:.0f} min", s / 60);
  return fmt::format("{:.1f} h", s / 3600);
}

}  // namespace cooldown::cli
