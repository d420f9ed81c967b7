// What a limiter has learned of one scope, as text: one JSON object, whose members are those of learned_scope.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cooldown/schedule/learned_state.hpp"

namespace cooldown::state {

std::string to_json(const learned_scope& scope);

/// nullopt: it is not such an object. A member that is missing keeps its default, and one that is unknown is ignored,
/// so that an older or a newer program can read it; values out of range are for cerebras_limiter::restore() to judge.
std::optional<learned_scope> learned_scope_of(std::string_view json);

}  // namespace cooldown::state
