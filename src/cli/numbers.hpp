// Numbers for people.
#pragma once

#include <string>

namespace cooldown::cli {

/// "1,234,567"; negative numbers count as 0.
std::string grouped(double n);

/// "350 ms", "12.5 s", "7 min", "3.2 h".
std::string seconds_text(double s);

}  // namespace cooldown::cli
