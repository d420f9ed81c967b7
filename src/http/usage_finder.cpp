#include <utility>

#include "cooldown/http/usage_reader.hpp"
#include "cooldown/text/either_byte.hpp"

namespace cooldown::http {
namespace {

constexpr std::string_view name = "usage";
constexpr std::size_t other_name = name.size() + 1;

// `usage` is at the top level, in the response or message inside an event, or in an item of `choices`. At deeper levels
// a model may have written it, for example in the arguments of a call.
constexpr std::size_t deepest = 3;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void usage_finder::feed(std::string_view json, const std::function<void(std::string_view)>& use) {
  either_byte ends(json, '"', '\\');
  for (std::size_t at = 0; at < json.size();) {
    auto const from = at;
    bool const inside = in_string_;
    at = inside ? pass_string(json, at, ends) : at + 1;
    if (began_at_ > 0) keep(json.substr(from, at - from));
    if (!inside) step(json[from], use);
  }
}

void usage_finder::keep(std::string_view part) {
  if (kept_.size() + part.size() <= largest) {
    kept_ += part;
  } else {
    began_at_ = 0;
  }
}

/// Handles a character outside of strings.
void usage_finder::step(char c, const std::function<void(std::string_view)>& use) {
  if (is_space(c)) return;
  auto const expected = std::exchange(next_, expects::nothing);
  switch (c) {
    case '"':
      in_string_ = true;
      matched_ = 0;
      break;
    case ':':
      if (expected == expects::colon) next_ = expects::object;
      break;
    case '{':
      next_ = expected;
      open(c);
      break;
    case '[':
      open(c);
      break;
    case '}':
    case ']':
      close(use);
      break;
    default:
      break;
  }
}

/// Inside a string: skips ordinary characters from `at` on. Returns the next position.
std::size_t usage_finder::pass_string(std::string_view json, std::size_t at, either_byte& ends) {
  if (escaped_) {
    escaped_ = false;
    return at + 1;
  }
  auto const end = ends.next(at);
  if (end > at) {
    auto const part = json.substr(at, end - at);
    bool const like_name = matched_ <= name.size() && name.substr(matched_).starts_with(part);
    matched_ = like_name ? matched_ + part.size() : other_name;
    return end;
  }
  if (json[at] == '\\') {
    escaped_ = true;
    matched_ = other_name;
  } else {
    in_string_ = false;
    next_ = matched_ == name.size() ? expects::colon : expects::nothing;
  }
  return at + 1;
}

void usage_finder::open(char c) {
  bool const begins = next_ == expects::object && began_at_ == 0 && depth_ <= deepest;
  next_ = expects::nothing;
  ++depth_;
  if (!begins) return;
  began_at_ = depth_;
  kept_.assign(1, c);
}

void usage_finder::close(const std::function<void(std::string_view)>& use) {
  bool const ends = began_at_ > 0 && depth_ == began_at_;
  if (depth_ > 0) --depth_;
  if (!ends) return;
  began_at_ = 0;
  use(kept_);
}

}  // namespace cooldown::http
