#include "cooldown/http/usage_reader.hpp"
#include "cooldown/text/either_byte.hpp"

namespace cooldown::http {
namespace {

constexpr std::string_view name = "usage";
constexpr std::size_t other_name = name.size() + 1;

// `usage` is at the top level, in the response or message inside an event, or in an item of `choices`. At deeper levels
// a model may have written it, for example in the arguments of a call.
constexpr std::size_t deepest = 3;

}  // namespace

void usage_finder::feed(std::string_view json, const std::function<void(std::string_view)>& use) {
  either_byte ends(json, '"', '\\');
  std::size_t from = 0;  // what is kept and not yet copied starts here
  for (std::size_t at = 0; at < json.size();) {
    if (in_string_) {
      at = pass_string(json, at, ends);
      continue;
    }
    auto const c = json[at++];
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        break;
      case '"':
        in_string_ = true;
        matched_ = 0;
        next_ = expects::nothing;
        break;
      case ':':
        next_ = next_ == expects::colon ? expects::object : expects::nothing;
        break;
      case '{':
      case '[':
        keep(json, from, at);
        if (open(c)) from = at;
        break;
      case '}':
      case ']':
        keep(json, from, at);
        close(use);
        break;
      default:
        next_ = expects::nothing;
    }
  }
  keep(json, from, json.size());
}

/// Copies the part of `json` from `from` to `to` if it belongs to an object that is kept; then `from` is `to`.
void usage_finder::keep(std::string_view json, std::size_t& from, std::size_t to) {
  if (began_at_ == 0) return;
  if (kept_.size() + (to - from) <= largest) {
    kept_.append(json, from, to - from);
  } else {
    began_at_ = 0;
  }
  from = to;
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
  }
  if (end == json.size()) return end;
  if (json[end] == '\\') {
    escaped_ = true;
    matched_ = other_name;
  } else {
    in_string_ = false;
    next_ = matched_ == name.size() ? expects::colon : expects::nothing;
  }
  return end + 1;
}

/// True: the object that begins with `c` is kept from now on.
bool usage_finder::open(char c) {
  bool const begins = c == '{' && next_ == expects::object && began_at_ == 0 && depth_ <= deepest;
  next_ = expects::nothing;
  ++depth_;
  if (!begins) return false;
  began_at_ = depth_;
  kept_.assign(1, c);
  return true;
}

void usage_finder::close(const std::function<void(std::string_view)>& use) {
  next_ = expects::nothing;
  bool const ends = began_at_ > 0 && depth_ == began_at_;
  if (depth_ > 0) --depth_;
  if (!ends) return;
  began_at_ = 0;
  use(kept_);
}

}  // namespace cooldown::http
