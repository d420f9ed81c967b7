// What the targets for heads share.
#pragma once

#include <algorithm>
#include <vector>

#include "cooldown/http/head.hpp"
#include "cooldown/text/ascii.hpp"

#include "fuzz.hpp"

namespace cooldown::fuzz {

/// Scans at once and in pieces as they might arrive. The size of the head; 0 when there is none.
inline std::size_t scan(std::string_view bytes, http::head_limits limits) {
  using state = http::head_scanner::state;
  http::head_scanner whole(limits);
  auto const verdict = whole.scan(bytes);
  cutter cut(bytes);
  http::head_scanner pieces(limits);
  auto in_pieces = state::need_more;
  for (auto rest = bytes; !rest.empty() && in_pieces == state::need_more;) {
    cut.next(rest);
    in_pieces = pieces.scan(bytes.substr(0, bytes.size() - rest.size()));
  }
  require(verdict == in_pieces, "the verdict does not depend on the pieces");
  if (verdict == state::bad) require(whole.error().status == pieces.error().status, "nor does the status");
  if (verdict != state::complete) return 0;
  require(whole.size() == pieces.size(), "nor does the size");
  require(whole.size() <= limits.max_size, "a head is within its bounds");
  return whole.size();
}

/// With the bounds of every day, and with some that the inputs reach.
inline std::size_t scan_in_pieces(std::string_view bytes) {
  if (bytes.empty()) return 0;
  auto const found = scan(bytes, {});
  auto const bounded = scan(bytes, {.max_size = 512, .max_fields = 8});
  require(bounded == 0 || bounded == found, "bounds only refuse");
  return found;
}

inline void check_fields(const std::vector<header_field>& fields, std::string_view bytes) {
  for (auto const& f : fields) {
    require(is_within(f.name, bytes) && is_within(f.value, bytes), "a field is a view of the head");
    require(!f.name.empty() && is_clean(f.name) && is_clean(f.value), "a field cannot end its line");
    require(trim(f.value) == f.value, "a value has no white space around it");
  }
}

inline std::ptrdiff_t count_of(const std::vector<header_field>& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [&](auto const& f) { return iequals(f.name, name); });
}

inline bool same_framing(const http::body_framing& a, const http::body_framing& b) {
  return a.how == b.how && a.length == b.length;
}

inline bool same_fields_but_host(std::vector<header_field> a, std::vector<header_field> b) {
  auto const is_host = [](const header_field& f) { return iequals(f.name, "host"); };
  std::erase_if(a, is_host);
  std::erase_if(b, is_host);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](auto const& x, auto const& y) { return x.name == y.name && x.value == y.value; });
}

}  // namespace cooldown::fuzz
