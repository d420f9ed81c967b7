// The settings that are in force, shared by all that work by them.
#pragma once

#include <memory>

#include "cooldown/config/config.hpp"

namespace cooldown::net {

/// A reload makes new ones; whoever keeps the pointer goes on by the old ones.
using settings_ptr = std::shared_ptr<const config::settings>;

}  // namespace cooldown::net
