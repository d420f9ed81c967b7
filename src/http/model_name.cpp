#include "cooldown/http/model_name.hpp"

#include <utility>
#include <vector>

#include "cooldown/http/json_text.hpp"

#include "json_reader.hpp"

namespace cooldown::http {
namespace {

/// Where a string stands with its quotes; both ends are in the document.
using place = std::pair<std::size_t, std::size_t>;

/// The strings that are the value of `model`: a repeated key may count first or last at a provider.
bool find_models(ondemand::document& document, std::vector<std::string_view>& found) {
  ondemand::object top;
  if (document.get_object().get(top) != simdjson::SUCCESS) return false;
  bool sound = true;
  for (auto member : top) {
    ondemand::field field;
    if (std::move(member).get(field) != simdjson::SUCCESS) return false;
    if (key_of(field) != "model") continue;
    auto& value = field.value();
    ondemand::json_type type{};
    sound = sound && value.type().get(type) == simdjson::SUCCESS && type == ondemand::json_type::string;
    if (sound) found.push_back(value.raw_json_token());
  }
  return sound && !found.empty() && is_at_end(document);
}

/// Without the white space behind it.
std::size_t size_of(std::string_view token) {
  auto const end = token.find_last_of('"');
  return end == std::string_view::npos ? token.size() : end + 1;
}

}  // namespace

std::optional<std::string> with_model(std::string_view body, std::size_t capacity, std::string_view name) {
  // The document may be read from a copy, so that places count, not pointers.
  std::string padded;
  if (capacity < body.size() + simdjson::SIMDJSON_PADDING) {
    padded.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    padded.assign(body);
    body = padded;
    capacity = padded.capacity();
  }
  std::vector<place> places;
  auto const read = with_json(body, capacity, [&](ondemand::document& document) {
    std::vector<std::string_view> found;
    if (!find_models(document, found)) return false;
    for (auto const token : found)
      places.emplace_back(static_cast<std::size_t>(token.data() - body.data()), size_of(token));
    return true;
  });
  if (!read) return std::nullopt;
  auto const quoted = json_text(name);
  std::string out;
  out.reserve(body.size() + quoted.size());
  std::size_t copied = 0;
  for (auto const& [at, size] : places) {
    out.append(body.substr(copied, at - copied)).append(quoted);
    copied = at + size;
  }
  return out.append(body.substr(copied));
}

}  // namespace cooldown::http
