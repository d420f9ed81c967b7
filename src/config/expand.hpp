// Expands ${NAME} and its variants in one scalar after the YAML has been parsed, so that a value cannot add YAML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/load.hpp"

namespace cooldown::config {

struct expansion {
  std::string text;
  bool from_environment = false;      // part of the text is a variable's value, which must not be shown
  std::vector<std::string> mistakes;  // none of them contains a value
};

/// ${NAME}: its value, or a mistake if it is not set. ${NAME:-default}: the default if it is unset or empty.
/// ${NAME:?message}: a mistake with that message if it is unset or empty. $$: one $. Any other $ is literal. A default
/// ends at the first } and is not expanded itself.
expansion expand(std::string_view raw, const environment& env);

}  // namespace cooldown::config
