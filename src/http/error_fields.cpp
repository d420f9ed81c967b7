#include "cooldown/http/error_fields.hpp"

#include <simdjson.h>

namespace cooldown::http {
namespace {

void take(simdjson::dom::object from, error_texts& out) {
  auto const text = [&](const char* key, std::string& to) {
    std::string_view value;
    if (to.empty() && from[key].get(value) == simdjson::SUCCESS) to.assign(value);
  };
  text("message", out.message);
  text("type", out.type);
  text("code", out.code);
}

}  // namespace

error_texts read_error(std::string_view body) {
  error_texts out;
  simdjson::dom::parser parser;
  simdjson::padded_string const padded(body);
  simdjson::dom::object top;
  if (parser.parse(padded).get(top) != simdjson::SUCCESS) return out;
  take(top, out);
  simdjson::dom::object wrapped;
  if (top["error"].get(wrapped) == simdjson::SUCCESS) take(wrapped, out);
  return out;
}

}  // namespace cooldown::http
