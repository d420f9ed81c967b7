#include "cooldown/http/conversation.hpp"

#include <cstddef>

namespace cooldown::http {
namespace {

constexpr std::size_t longest = 16 * 1024;

/// Walks over JSON without reading it. Text that is not JSON ends it early or is walked over as if it were.
class walker {
 public:
  explicit walker(std::string_view text) : text_(text) {}

  std::size_t at() const { return at_; }

  /// The next character that is not a blank; 0: none.
  char peek() {
    at_ = text_.find_first_not_of(" \t\r\n", at_);
    if (at_ == std::string_view::npos) at_ = text_.size();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  /// A string without its quotes, escapes as they are; empty if there is none here.
  std::string_view string() {
    if (!take('"')) return {};
    auto const from = at_;
    for (;;) {
      at_ = text_.find_first_of("\"\\", at_);
      if (at_ == std::string_view::npos) break;
      if (text_[at_] == '"') return text_.substr(from, at_++ - from);
      at_ += 2;
    }
    at_ = text_.size();
    return {};
  }

  void skip_value() {
    std::size_t depth = 0;
    do {
      auto const c = peek();
      if (c == '\0') return;
      if (c == '"') {
        string();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return;
        --depth;
        ++at_;
      } else if (c == ',' || c == ':') {
        if (depth == 0) return;
        ++at_;
      } else {
        at_ = text_.find_first_of(",:]}[{\" \t\r\n", at_);
        if (at_ == std::string_view::npos) at_ = text_.size();
      }
    } while (depth > 0);
  }

  /// Calls `member(key)` at each value of an object, which has to read it, until that returns false.
  template <class Member>
  void object(Member member) {
    if (!take('{')) return skip_value();
    while (!take('}')) {
      auto const key = string();
      if (!take(':') || !member(key)) return;
      if (!take(',') && peek() != '}') return;
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_of_user(walker& json) {
  bool user = false;
  json.object([&](std::string_view key) {
    if (key == "role" && json.peek() == '"') {
      user = json.string() == "user";
    } else {
      json.skip_value();
    }
    return true;
  });
  return user;
}

}  // namespace

std::string_view conversation_opening(std::string_view body) {
  walker json(body);
  std::string_view opening;
  json.object([&](std::string_view key) {
    if ((key != "messages" && key != "input") || json.peek() != '[') {
      json.skip_value();
      return true;
    }
    auto const from = json.at();
    json.take('[');
    while (json.peek() == '{' && opening.empty()) {
      if (is_of_user(json)) opening = body.substr(from, json.at() - from);
      json.take(',');
    }
    return false;
  });
  return opening.substr(0, longest);
}

}  // namespace cooldown::http
