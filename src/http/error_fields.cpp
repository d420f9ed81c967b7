#include "cooldown/http/error_fields.hpp"

#include <simdjson.h>

namespace cooldown::http {
namespace {

using object = simdjson::dom::object;
using element = simdjson::dom::element;

/// A string, or a number as it is written.
void text(object from, const char* key, std::string& to) {
  element value;
  if (!to.empty() || from[key].get(value) != simdjson::SUCCESS) return;
  if (value.is_string()) {
    to.assign(value.get_string().value_unsafe());
  } else if (value.is_number()) {
    to = simdjson::minify(value);
  }
}

void delay(object from, std::string& to) {
  for (auto const* const key : {"retryDelay", "retry_after", "retry_after_seconds", "retryAfter"}) text(from, key, to);
}

/// Google's RetryInfo among the details.
void delay_in_details(object from, std::string& to) {
  simdjson::dom::array details;
  if (from["details"].get(details) != simdjson::SUCCESS) return;
  for (auto const each : details)
    if (object detail; each.get(detail) == simdjson::SUCCESS) delay(detail, to);
}

void take(object from, error_texts& out) {
  text(from, "message", out.message);
  text(from, "type", out.type);
  text(from, "code", out.code);
  delay(from, out.wait);
  delay_in_details(from, out.wait);
}

/// The object itself, or the first of an array of them.
bool find_object(element top, object& found) {
  simdjson::dom::array all;
  if (top.get(all) == simdjson::SUCCESS) return all.at(0).get(found) == simdjson::SUCCESS;
  return top.get(found) == simdjson::SUCCESS;
}

}  // namespace

error_texts read_error(std::string_view body) {
  error_texts out;
  simdjson::dom::parser parser;
  simdjson::padded_string const padded(body);
  element whole;
  object top, wrapped;
  if (parser.parse(padded).get(whole) != simdjson::SUCCESS || !find_object(whole, top)) return out;
  // What is inside knows more: Anthropic's outer type is "error".
  for (auto const* const key : {"error", "errors", "detail"})
    if (top[key].get(whole) == simdjson::SUCCESS && find_object(whole, wrapped)) take(wrapped, out);
  take(top, out);
  for (auto const* const key : {"error", "detail", "title"}) text(top, key, out.message);
  return out;
}

}  // namespace cooldown::http
