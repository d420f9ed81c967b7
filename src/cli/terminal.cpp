#include "terminal.hpp"

#include <algorithm>

namespace cooldown::cli {

std::string fit(const std::string& text, std::size_t columns, std::size_t rows) {
  std::string out;
  std::size_t column = 0;
  std::size_t row = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto const c = static_cast<unsigned char>(text[i]);
    if (c == '\n') {
      column = 0;
      if (++row == rows && rows > 0) break;
    } else if (c == 0x1b) {
      auto const end = std::min(text.find('m', i), text.size() - 1);
      out += text.substr(i, end - i + 1);
      i = end;
      continue;
    } else if ((c & 0xc0) != 0x80 && column++ >= columns && columns > 0) {
      while (i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80) ++i;
      continue;
    }
    out += text[i];
  }
  return out;
}

}  // namespace cooldown::cli
