// What fits on a terminal.
#pragma once

#include <cstddef>
#include <string>

namespace cooldown::cli {

/// Cuts UTF-8 text to a terminal's size: lines to `columns` characters, all of it to `rows` lines. Colours take no
/// room. 0: as many as there are.
std::string fit(const std::string& text, std::size_t columns, std::size_t rows);

}  // namespace cooldown::cli
