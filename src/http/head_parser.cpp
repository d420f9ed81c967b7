#include "head_parser.hpp"

#include "cooldown/text/ascii.hpp"

#include "syntax.hpp"

namespace cooldown::http {
namespace {

// Most heads have fewer fields; memory for all of them is taken at once.
constexpr std::size_t usual_fields = 16;

/// field-name ":" OWS field-value OWS (RFC 9112 §5). A folded line begins with no name.
bool is_field(std::string_view line, header_field& out) {
  auto const colon = token_size(line);
  if (colon == 0 || colon == line.size() || line[colon] != ':') return false;
  out = {line.substr(0, colon), trim(line.substr(colon + 1))};
  return true;
}

}  // namespace

const char* field_notes::take(const header_field& f) {
  auto const is = [&](std::string_view name) { return iequals(f.name, name); };
  if (is("host")) {
    ++hosts;
    host = f.value;
  } else if (is("content-length")) {
    ++content_lengths;
    content_length = f.value;
  } else if (is("transfer-encoding")) {
    ++transfer_encodings;
    transfer_encoding = f.value;
  } else if (is("expect")) {
    (iequals(f.value, "100-continue") ? expects_continue : expects_else) = true;
  } else if (bool const own = is("connection"); own || is("proxy-connection")) {
    for (std::string_view rest = f.value, token; next_token(rest, ',', token);) {
      if (!token.empty() && !is_token(token)) return "Connection is malformed";
      close = close || (own && iequals(token, "close"));
      keep_alive = keep_alive || (own && iequals(token, "keep-alive"));
    }
  }
  return nullptr;
}

const char* next_line(std::string_view& rest, std::string_view& line) {
  auto const end = find_control(rest);
  if (end == rest.size()) return "the head is cut short";
  if (!rest.substr(end).starts_with("\r\n")) return "a control character in the head";
  line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return nullptr;
}

const char* take_fields(std::string_view bytes, std::vector<header_field>& fields, field_notes& notes) {
  fields.clear();
  fields.reserve(usual_fields);
  for (std::string_view line;;) {
    if (auto const* const error = next_line(bytes, line)) return error;
    if (line.empty()) return bytes.empty() ? nullptr : "the head does not end where it should";
    auto& f = fields.emplace_back();
    if (!is_field(line, f)) return "a field line is malformed";
    if (auto const* const error = notes.take(f)) return error;
  }
}

bool is_known_version(std::string_view text, bool& http11) {
  http11 = text == "HTTP/1.1";
  return http11 || text == "HTTP/1.0";
}

std::optional<std::string_view> find_field(header_view fields, std::string_view name) {
  for (auto const& f : fields)
    if (iequals(f.name, name)) return f.value;
  return std::nullopt;
}

}  // namespace cooldown::http
