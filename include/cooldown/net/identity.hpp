// Short names for keys without a configured name: they survive restarts, and do not reveal the key.
#pragma once

#include <string>
#include <string_view>

#include "cooldown/text/sip_hash.hpp"

namespace cooldown::net {

/// Hexadecimal digits: the same for the same text and key, 32 bytes; without the key, nobody can tell the text from
/// them.
std::string keyed_hash(std::string_view key, std::string_view text);

class identity {
 public:
  /// Keyed to this machine's id (machine-id(5)); without one, the names last as long as the process.
  identity();

  /// Six hexadecimal digits.
  std::string short_hash(std::string_view secret) const;

 private:
  sip_key key_{};
};

}  // namespace cooldown::net
