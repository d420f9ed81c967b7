// The Priority request header (RFC 9218).
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

/// The urgency `u` of the Priority headers: 0 is the most urgent, 7 the least. nullopt: not given, out of range, or the
/// headers are not a dictionary (RFC 8941 §4.2.2) and so are ignored. Other parameters are ignored.
std::optional<std::uint8_t> urgency_of(header_view fields);

}  // namespace cooldown::http
