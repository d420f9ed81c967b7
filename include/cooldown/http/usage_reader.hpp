// Reads the usage that an answer reports while the answer is relayed.
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

/// Finds the objects after "usage" in a stream of JSON, by its strings and brackets. Keeps at most one such object.
class usage_finder {
 public:
  static constexpr std::size_t largest = 16 * 1024;  // bytes of an object that is read

  /// Calls `use` with each complete object.
  void feed(std::string_view json, const std::function<void(std::string_view)>& use);

  /// The next bytes belong to another document.
  void restart() { *this = {}; }

  /// Whether nothing has been read since, but white space and what ended.
  bool is_at_start() const { return depth_ == 0 && !in_string_ && next_ == expects::nothing; }

 private:
  void keep(std::string_view json, std::size_t& from, std::size_t to);
  std::size_t pass_string(std::string_view json, std::size_t at, either_byte& ends);
  bool open(char c);
  void close(const std::function<void(std::string_view)>& use);

  enum class expects : std::uint8_t { nothing, colon, object } next_ = expects::nothing;
  bool in_string_ = false;
  bool escaped_ = false;
  std::size_t matched_ = 0;  // characters of "usage" matched in the current string
  std::size_t depth_ = 0;
  std::size_t began_at_ = 0;  // depth of the object being kept; 0: none
  std::string kept_;
};

/// Reads the body of an answer in passing: JSON, or an event stream whose data is JSON (HTML standard, 9.2.6).
class usage_reader {
 public:
  explicit usage_reader(content_coding coding = content_coding::identity);

  /// Body bytes in order, without transfer coding.
  void feed(std::string_view bytes);

  /// The combined usage: of each count the last value that is not zero, because some providers report parts, and some
  /// zeros at the end. nullopt: none, or only zeros.
  std::optional<usage> finish() const;

  /// Estimated tokens so far, rather too many, for a body that ends without usage. An event counts as at least one
  /// token, plus one for every three bytes that it is longer than the shortest event. Other bodies count as one for
  /// every four bytes, unreadable ones as one per byte.
  std::uint64_t tokens_so_far() const;

 private:
  void read(std::string_view text);
  std::size_t pass_events(std::string_view text);
  void take(std::string_view part);
  void end_line(char end);
  void find(std::string_view json);
  void count_line();
  void believe(std::string_view object);

  content_coding coding_;
  std::optional<inflater> inflater_;
  std::uint64_t unread_ = 0;  // bytes

  usage_finder finder_;
  bool events_ = false;     // a data line has been seen
  std::string line_start_;  // the start of the current line, enough to recognize its field
  std::uint64_t line_ = 0;  // bytes of the current line so far
  char line_end_ = '\n';    // of the previous line

  usage known_;

  std::uint64_t bytes_ = 0;
  std::uint64_t event_count_ = 0;
  std::uint64_t event_bytes_ = 0;
  std::uint64_t shortest_event_ = 0;
};

}  // namespace cooldown::http
