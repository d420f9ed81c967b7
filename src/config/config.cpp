#include "cooldown/config/config.hpp"

namespace cooldown::config {

std::string origin::authority() const {
  auto text = host.find(':') == std::string::npos ? host : '[' + host + ']';
  if (port != (tls ? 443 : 80)) text += ':' + std::to_string(port);
  return text;
}

}  // namespace cooldown::config
