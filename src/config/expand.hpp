// ${NAME} and its kin, in one scalar after YAML was parsed: a value cannot bring YAML of its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cooldown/config/load.hpp"

namespace cooldown::config {

struct expansion {
  std::string text;
  bool from_environment = false;      // some of the text is a variable's value: not for showing
  std::vector<std::string> mistakes;  // none of them holds a value
};

/// ${NAME}: its value, and a mistake when it is not set. ${NAME:-default}: the default when it is unset or empty.
/// ${NAME:?message}: a mistake with that message when it is unset or empty. $$: one $. Any other $ stands for itself.
/// A default goes to the first } and is not expanded itself.
expansion expand(std::string_view raw, const environment& env);

}  // namespace cooldown::config
