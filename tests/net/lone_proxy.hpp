// A proxy whose provider is never called.
#pragma once

#include "cooldown/config/config.hpp"

namespace cooldown::testing {

/// Nothing listens where its provider should be, and it logs nothing.
inline config::settings settings_of_lone_proxy() {
  config::settings s;
  s.cerebras.base_url = {.tls = false, .host = "127.0.0.1", .port = 1, .prefix = ""};
  s.logging.level = config::log_level::off;
  return s;
}

}  // namespace cooldown::testing
