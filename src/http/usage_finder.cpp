#include <algorithm>

#include "cooldown/http/usage_reader.hpp"

namespace cooldown::http {
namespace {

constexpr std::string_view name = "usage";
constexpr std::size_t other_name = name.size() + 1;

// `usage` stands at the top, in the response or message that an event holds, or in a choice of a list. Deeper, a model
// may have written it: as the arguments of a call.
constexpr std::size_t deepest = 3;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void usage_finder::feed(std::string_view json, const std::function<void(std::string_view)>& use) {
  while (!json.empty()) {
    if (in_string_ && !escaped_ && matched_ == other_name && began_at_ == 0) {
      auto const* const end = std::find_if(json.begin(), json.end(), [](char c) { return c == '"' || c == '\\'; });
      json.remove_prefix(static_cast<std::size_t>(end - json.begin()));
      if (json.empty()) return;
    }
    step(json.front(), use);
    json.remove_prefix(1);
  }
}

void usage_finder::step(char c, const std::function<void(std::string_view)>& use) {
  if (began_at_ > 0) {
    if (kept_.size() < largest) {
      kept_ += c;
    } else {
      began_at_ = 0;
    }
  }
  if (in_string_) return step_in_string(c);
  if (is_space(c)) return;
  auto const expected = next_;
  next_ = expects::nothing;
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

void usage_finder::step_in_string(char c) {
  if (escaped_ || c == '\\') {
    escaped_ = !escaped_;
    matched_ = other_name;
  } else if (c == '"') {
    in_string_ = false;
    next_ = matched_ == name.size() ? expects::colon : expects::nothing;
  } else {
    matched_ = matched_ < name.size() && name[matched_] == c ? matched_ + 1 : other_name;
  }
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
