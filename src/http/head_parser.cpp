#include "head_parser.hpp"

#include <boost/beast/http/error.hpp>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {

void field_notes::take(boost::beast::http::field which, std::string_view value) {
  using boost::beast::http::field;
  switch (which) {
    case field::host:
      ++hosts;
      host = value;
      break;
    case field::content_length:
      ++content_lengths;
      content_length = value;
      break;
    case field::transfer_encoding:
      ++transfer_encodings;
      transfer_encoding = value;
      break;
    case field::expect:
      (iequals(value, "100-continue") ? expects_continue : expects_else) = true;
      break;
    case field::connection:
      for (std::string_view rest = value, token; next_token(rest, ',', token);) {
        close = close || iequals(token, "close");
        keep_alive = keep_alive || iequals(token, "keep-alive");
      }
      break;
    default:
      break;
  }
}

const char* reason_of(boost::beast::error_code ec) {
  using boost::beast::http::error;
  static constexpr struct {
    error what;
    const char* text;
  } reasons[] = {
      {error::bad_method, "the method is not a token"},
      {error::bad_target, "the request target is malformed"},
      {error::bad_version, "the HTTP version is malformed or unknown"},
      {error::bad_status, "the status code is malformed"},
      {error::bad_reason, "the reason phrase is malformed"},
      {error::bad_field, "a field name is malformed"},
      {error::bad_value, "a field value is malformed"},
      {error::bad_line_ending, "a CR without its LF"},
      {error::bad_content_length, "Content-Length is malformed, or stands beside Transfer-Encoding"},
      {error::multiple_content_length, "several Content-Length values"},
      {error::bad_transfer_encoding, "Transfer-Encoding is malformed, repeated, or stands beside Content-Length"},
      {error::need_more, "the head is cut short"},
  };
  for (auto const& r : reasons)
    if (ec == r.what) return r.text;
  return "the head is malformed";
}

std::optional<std::string_view> find_field(header_view fields, std::string_view name) {
  for (auto const& f : fields)
    if (iequals(f.name, name)) return f.value;
  return std::nullopt;
}

}  // namespace cooldown::http
