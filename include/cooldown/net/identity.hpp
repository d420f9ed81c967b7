// Short names for keys that nobody has named: the same after a restart, and of no use to find the key.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::net {

class identity {
 public:
  /// By this machine, if it has an id (machine-id(5)); otherwise the names last as long as the process.
  identity();

  /// Six hexadecimal digits.
  std::string short_hash(std::string_view secret) const;

 private:
  std::string key_;
};

}  // namespace cooldown::net
