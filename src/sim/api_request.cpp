#include "cooldown/sim/api_request.hpp"

#include <algorithm>

#include <boost/json.hpp>

namespace cooldown::sim {
namespace {

namespace json = boost::json;

std::int64_t count_characters(std::string_view text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  return static_cast<std::int64_t>(text.size()) - std::count_if(text.begin(), text.end(), continues);
}

std::int64_t count_text(const json::value& value) {
  const auto* text = value.if_string();
  return text == nullptr ? 0 : count_characters({text->data(), text->size()});
}

// "content" is a string, or an array of parts that have a "text".
std::int64_t count_content(const json::value& content) {
  const auto* parts = content.if_array();
  if (parts == nullptr) return count_text(content);
  std::int64_t sum = 0;
  for (const auto& part : *parts) {
    const auto* object = part.if_object();
    const auto* text = object == nullptr ? &part : object->if_contains("text");
    if (text != nullptr) sum += count_text(*text);
  }
  return sum;
}

std::int64_t count_messages(const json::value& messages) {
  const auto* list = messages.if_array();
  if (list == nullptr) return 0;
  std::int64_t sum = 0;
  for (const auto& message : *list) {
    const auto* object = message.if_object();
    if (object == nullptr) continue;
    if (const auto* content = object->if_contains("content")) sum += count_content(*content);
    if (const auto* calls = object->if_contains("tool_calls")) sum += count_characters(json::serialize(*calls));
  }
  return sum;
}

std::optional<std::int64_t> whole_number(const json::object& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code ignored;
  const auto number = value->to_number<std::int64_t>(ignored);
  if (ignored || number < 0) return std::nullopt;
  return number;
}

api_error bad_format(std::string message) {
  return {std::move(message), "invalid_request_error", "validation_error", "wrong_api_format"};
}

const char* input_key(endpoint kind) {
  if (kind == endpoint::chat) return "messages";
  return kind == endpoint::completion ? "prompt" : "input";
}

}  // namespace

std::optional<api_request> parse_api_request(endpoint kind, std::string_view body, api_error& error) {
  json::error_code failure;
  const auto parsed = json::parse(body, failure);
  const auto* object = parsed.if_object();
  if (failure || object == nullptr) {
    error = bad_format("The request body is not valid JSON.");
    return std::nullopt;
  }
  const auto* model = object->if_contains("model");
  if (model == nullptr || !model->is_string()) {
    error = bad_format("body.model: Field required");
    return std::nullopt;
  }
  const auto* input = object->if_contains(input_key(kind));
  if (input == nullptr || (kind == endpoint::chat && !input->is_array())) {
    error = bad_format(std::string("body.") + input_key(kind) + ": Field required");
    return std::nullopt;
  }
  api_request request;
  request.kind = kind;
  request.model = json::value_to<std::string>(*model);
  request.characters = kind == endpoint::chat ? count_messages(*input) : count_content(*input);
  if (const auto* tools = object->if_contains("tools")) request.characters += count_characters(json::serialize(*tools));
  if (kind == endpoint::embedding) {
    request.max_output = 0;
    return request;
  }
  const auto* stream = object->if_contains("stream");
  request.stream = stream != nullptr && stream->is_bool() && stream->get_bool();
  request.max_output = whole_number(*object, "max_completion_tokens");
  if (!request.max_output) request.max_output = whole_number(*object, "max_tokens");
  return request;
}

}  // namespace cooldown::sim
