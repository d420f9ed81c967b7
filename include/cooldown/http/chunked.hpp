// A strict decoder of the chunked transfer coding (RFC 9112 §7.1). Our own, because Beast 1.81 runs trailers through
// the header logic, bounds neither extensions nor trailers, and fails an assertion on one valid segmentation
// (docs/decisions/002).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cooldown::http {

/// `data`, which must not be empty, as one chunk.
std::string encode_chunk(std::string_view data);

/// The end of a body without trailers.
constexpr std::string_view last_chunk = "0\r\n\r\n";

/// Takes bytes as they arrive and returns the data in them. Extensions and trailers are checked, bounded and dropped.
class chunk_decoder {
 public:
  enum class state { need_more, data, done, bad };

  struct step {
    state what;
    std::size_t consumed;   // bytes of the input used up, framing included
    std::string_view data;  // for state::data: a view into the input, never empty
  };

  /// One step: returns at the first piece of data, at the end of the body, or when the input is used up. Call it again
  /// with the rest of the input until need_more, done or bad. After done, the rest belongs to the next message; done
  /// and bad are final. Data costs O(1) per step whatever its size; a chunk size is at most 2^62.
  step next(std::string_view input);

  /// For state::bad: a sentence for the log and the 400.
  const char* error() const { return error_; }

  static constexpr std::size_t max_extension = 4 * 1024;    // octets of one chunk-ext
  static constexpr std::size_t max_extensions = 64 * 1024;  // octets of all of them in one body
  static constexpr std::size_t max_trailers = 16 * 1024;    // octets of the trailer section

 private:
  enum class at : std::uint8_t {
    size_first,
    size,
    size_lf,
    data,
    data_cr,
    data_lf,
    ext_start,
    ext_name,
    ext_name_end,
    ext_value_start,
    ext_value,
    ext_quoted,
    ext_escaped,
    ext_quoted_end,
    ext_end,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done,
    bad
  };
  bool is_extension() const { return at_ >= at::ext_start && at_ <= at::ext_end; }
  bool is_trailer() const { return at_ >= at::trailer_start && at_ <= at::trailer_lf; }

  // Each takes one byte and moves at_ on.
  void take_framing(char c);
  void take_size(char c);
  void take_extension(char c);
  void take_trailer(char c);
  bool after_name(char c);
  bool after_extension(char c);
  void expect(char c, char wanted, at then, const char* why);
  void fail(const char* why);

  at at_ = at::size_first;
  unsigned digits_ = 0;
  std::uint64_t left_ = 0;  // of the chunk size while it is read, of the data after
  std::size_t extension_ = 0;
  std::size_t extensions_ = 0;
  std::size_t trailers_ = 0;
  const char* error_ = "";
};

}  // namespace cooldown::http
