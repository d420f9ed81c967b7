// The only header type of the layers below src/net: views of names and values.
#pragma once

#include <span>
#include <string_view>

namespace cooldown {

/// One field line (RFC 9110 §5): the name unchanged, the value without surrounding white space.
struct header_field {
  std::string_view name;
  std::string_view value;
};

/// The field lines of one head, in order, repeats included. Valid as long as the buffer they point into.
using header_view = std::span<const header_field>;

}  // namespace cooldown
