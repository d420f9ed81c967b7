// The Priority request field (RFC 9218).
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

/// The urgency `u` of the Priority fields: 0 goes first, 7 last. nullopt: not given, out of range, or the fields are no
/// dictionary (RFC 8941 §4.2.2); they are ignored as a whole then. Other parameters mean nothing here.
std::optional<std::uint8_t> urgency_of(header_view fields);

}  // namespace cooldown::http
