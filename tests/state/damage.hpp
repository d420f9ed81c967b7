// What a broken disk does to a database: behind its header, which still says what it is, nothing is as it was.
#pragma once

#include <fstream>
#include <string>

namespace cooldown::state {

inline void damage(const std::string& file) {
  constexpr std::size_t header = 100;
  constexpr std::size_t rest_of_first_page = 3'996;
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(header);
  bytes << std::string(rest_of_first_page, 'x');
}

}  // namespace cooldown::state
