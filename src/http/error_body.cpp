#include "cooldown/http/error_body.hpp"

#include <boost/json.hpp>
#include <simdjson.h>

namespace cooldown::http {
namespace {

namespace json = boost::json;

/// `text` as JSON can hold it: Boost.JSON passes bytes that are not UTF-8 through, and clients choke on them.
json::string utf8(std::string_view text) {
  json::string out(text.data(), text.size());
  if (!simdjson::validate_utf8(text.data(), text.size()))
    for (auto& c : out)
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
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
  for (auto const& entry : flat) out.insert(entry);
  return json::serialize(out) + '\n';
}

}  // namespace cooldown::http
