#include "cooldown/http/error_body.hpp"

#include <algorithm>
#include <iterator>

#include <boost/json.hpp>
#include <simdjson.h>

namespace cooldown::http {
namespace {

namespace json = boost::json;

/// `text` as valid UTF-8: Boost.JSON passes invalid bytes through, and clients fail on them.
json::string utf8(std::string_view text) {
  json::string out(text.data(), text.size());
  if (!simdjson::validate_utf8(text.data(), text.size()))
    for (auto& c : out)
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  return out;
}

constexpr std::string_view flat_fields[] = {"message", "type", "param", "code"};

bool is_flat_field(std::string_view name) {
  return std::find(std::begin(flat_fields), std::end(flat_fields), name) != std::end(flat_fields);
}

/// The provider's error, or one made from its text, with all members that clients look for.
json::object completed(const json::value& from, unsigned status) {
  json::object out;
  if (auto const* const text = from.if_string()) out["message"] = *text;
  if (auto const* const object = from.if_object())
    for (auto const& [name, value] : *object)
      if (name != "error" && name != "status_code") out[name] = value;
  auto const text_of = [&](std::string_view name) {
    auto const* const value = out.if_contains(json::string_view(name.data(), name.size()));
    return value && value->is_string() ? value->get_string() : json::string();
  };
  if (text_of("message").empty()) {
    auto const detail = text_of("detail");
    out["message"] = !detail.empty() ? detail
                                     : json::string("The provider answered with status " + std::to_string(status) +
                                                    ", and without an error that could be passed on here.");
  }
  if (text_of("type").empty()) out["type"] = "provider_error";
  for (auto const* name : {"param", "code"})
    if (!out.contains(name)) out[name] = nullptr;
  return out;
}

}  // namespace

std::string error_body(std::string_view message, std::string_view type, std::string_view param, std::string_view code) {
  json::object flat;
  flat["message"] = utf8(message);
  flat["type"] = utf8(type);
  flat["param"] = param.empty() ? json::value(nullptr) : json::value(utf8(param));
  flat["code"] = utf8(code);
  json::object out;
  out["error"] = flat;
  if (param.empty()) flat["param"] = "";
  for (auto const& entry : flat) out.insert(entry);
  return json::serialize(out) + '\n';
}

std::string answer_as_event(std::string_view body, unsigned status) {
  json::error_code failed;
  auto const parsed = json::parse(json::string_view(body.data(), body.size()), failed);
  json::object const nothing;
  auto const& answer = !failed && parsed.is_object() ? parsed.get_object() : nothing;
  auto const* const wrapped = answer.if_contains("error");
  bool const is_wrapped = wrapped && (wrapped->is_object() || wrapped->is_string());
  bool const success = status >= 200 && status < 300;
  if (success && !answer.empty() && !is_wrapped) return json::serialize(answer);
  json::object out;
  out["error"] = is_wrapped ? completed(*wrapped, status) : completed(answer, status);
  if (is_wrapped)
    for (auto const& [name, value] : answer)
      if (name != "error" && !is_flat_field(name)) out[name] = value;
  out["status_code"] = status;
  return json::serialize(out);
}

}  // namespace cooldown::http
