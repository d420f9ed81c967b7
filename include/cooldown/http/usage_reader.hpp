// The usage that an answer reports, read while it goes by.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cooldown/http/content_coding.hpp"

namespace cooldown {
class either_byte;
}

namespace cooldown::http {

/// What a completion cost (OpenAI's `usage`).
struct usage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t total_tokens = 0;
  std::uint64_t cached_tokens = 0;  // of the prompt
  bool operator==(const usage&) const = default;
};

/// Finds the objects behind "usage" in JSON that goes by, by its strings and brackets. Keeps one such object at most.
class usage_finder {
 public:
  static constexpr std::size_t largest = 16 * 1024;  // of an object that is looked into

  /// `use` gets each object as it ends.
  void feed(std::string_view json, const std::function<void(std::string_view)>& use);

  /// What comes is another document.
  void restart() { *this = {}; }

 private:
  void keep(std::string_view part);
  void step(char c, const std::function<void(std::string_view)>& use);
  std::size_t pass_string(std::string_view json, std::size_t at, either_byte& ends);
  void open(char c);
  void close(const std::function<void(std::string_view)>& use);

  enum class expects : std::uint8_t { nothing, colon, object } next_ = expects::nothing;
  bool in_string_ = false;
  bool escaped_ = false;
  std::size_t matched_ = 0;  // characters of the name, while the string that goes by may be it
  std::size_t depth_ = 0;
  std::size_t began_at_ = 0;  // depth of the object that is kept; 0: none is
  std::string kept_;
};

/// Watches the body of an answer go by: JSON, or an event stream, whose data is JSON (HTML standard, 9.2.6).
class usage_reader {
 public:
  explicit usage_reader(content_coding coding = content_coding::identity);

  /// Body bytes without any transfer coding, in order.
  void feed(std::string_view bytes);

  /// What the usage objects that have gone by add up to: of each count the last that is not zero, since some report
  /// parts, and some zeros at the end. nullopt: there was none, or nothing but zeros.
  std::optional<usage> finish() const;

  /// Tokens in what has gone by, for a body that ends without usage: rather too many. An event has one at least, and
  /// one for every three bytes that it has more than the shortest; other bodies have one for every four bytes, and for
  /// every byte that could not be read.
  std::uint64_t tokens_so_far() const;

 private:
  void read(std::string_view text);
  void take(std::string_view part);
  void end_line(char end);
  void find(std::string_view json);
  void count_line();
  void believe(std::string_view object);

  content_coding coding_;
  std::optional<inflater> inflater_;
  std::uint64_t unread_ = 0;  // bytes

  usage_finder finder_;
  bool events_ = false;     // a line of data has come
  std::string line_start_;  // enough to tell what the line is that is going by
  std::uint64_t line_ = 0;  // bytes of it so far
  char line_end_ = '\n';    // of the line before

  usage known_;

  std::uint64_t bytes_ = 0;
  std::uint64_t event_count_ = 0;
  std::uint64_t event_bytes_ = 0;
  std::uint64_t shortest_event_ = 0;
};

}  // namespace cooldown::http
