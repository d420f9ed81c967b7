#include "cooldown/http/body_facts.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "cooldown/text/utf8.hpp"

#include "body_text.hpp"
#include "characters.hpp"
#include "json_reader.hpp"

namespace cooldown::http {
namespace {

constexpr std::size_t longest_name = 256;
constexpr std::uint64_t characters_per_token = 4;  // for prompts that come as token numbers
// Deep enough for messages / message / content / part / content / part; no API has text at a deeper level.
constexpr unsigned deepest = 8;

struct tally {
  std::uint64_t chars = 0;
  std::uint64_t images = 0;
  character_kinds kinds{};
};

tally tally_of(const measured_text& text) {
  return {.chars = text.chars, .images = 0, .kinds = text.kinds};
}

tally& operator+=(tally& a, const tally& b) {
  a.chars += b.chars;
  a.images += b.images;
  a.kinds += b.kinds;
  return a;
}

template <std::size_t n>
std::size_t index_of(const std::string_view (&names)[n], std::string_view name) {
  return static_cast<std::size_t>(std::find(std::begin(names), std::end(names), name) - std::begin(names));
}

/// The members of a message, of a part of one, or of an item of `input` that the model reads. Of a repeated key the
/// last one counts, as with most JSON parsers; so each member has its own place.
constexpr std::string_view text_keys[] = {
    "content", "text",  "reasoning_content", "reasoning", "refusal", "tool_calls",
    "output",  "input", "arguments",         "function",  "custom",  "function_call"};
constexpr std::string_view call_keys[] = {"function", "custom", "function_call"};
constexpr std::string_view image_types[] = {"image_url", "input_image", "image"};

/// The members of the request itself: those read as text, and those counted as JSON.
constexpr std::string_view spoken_keys[] = {"messages", "prompt", "suffix", "input", "instructions", "system"};
constexpr std::string_view raw_keys[] = {"tools", "functions", "response_format"};
constexpr std::string_view maximum_keys[] = {"max_completion_tokens", "max_output_tokens",
                                             "max_tokens"};  // by precedence

class body_walker {
 public:
  body_walker(std::string_view body, body_facts& facts) : body_(body), facts_(facts) {}

  /// False if the document is not an object, or is cut short.
  bool walk(ondemand::document& document) {
    ondemand::object top;
    if (document.get_object().get(top) != simdjson::SUCCESS) return false;
    walk_fields(top, [this](std::string_view key, ondemand::value& value) { take(key, value); });
    if (broken_ || !is_at_end(document)) return false;
    sum_up();
    return true;
  }

 private:
  void take(std::string_view key, ondemand::value& value) {
    if (key == "model") {
      facts_.model_repeated = std::exchange(has_model_, true);
      facts_.model = name_of(value);
    } else if (key == "user") {
      facts_.user = name_of(value);
    } else if (key == "stream") {
      bool stream = false;
      facts_.stream = value.get_bool().get(stream) == simdjson::SUCCESS && stream;
    } else if (key == "n") {
      facts_.choices = std::max<std::uint64_t>(number_rounded_up(value).value_or(1), 1);
    } else if (auto const i = index_of(maximum_keys, key); i < std::size(maximum_keys)) {
      maximum_[i] = number_rounded_up(value);
    } else if (auto const j = index_of(spoken_keys, key); j < std::size(spoken_keys)) {
      spoken_[j] = text_of(value, deepest);
    } else if (auto const k = index_of(raw_keys, key); k < std::size(raw_keys)) {
      raw_[k] = raw_text_of(value);
    }
  }

  void sum_up() {
    tally sum;
    for (auto const& t : spoken_) sum += t;
    for (auto const& t : raw_) sum += t;
    facts_.input_chars = sum.chars;
    facts_.input_kinds = sum.kinds;
    facts_.images = sum.images;
    for (auto const& m : maximum_)
      if (!facts_.max_output_tokens) facts_.max_output_tokens = m;
  }

  /// Strings, and values that contain strings: arrays of them, of token numbers, of messages, of parts.
  tally text_of(ondemand::value& value, unsigned depth) {
    tally sum;
    switch (type_of(value)) {
      case ondemand::json_type::string:
        sum = tally_of(measure_escaped(between_quotes(value)));
        break;
      case ondemand::json_type::number:
        sum.chars = characters_per_token;
        break;
      case ondemand::json_type::array:
        if (depth > 0) walk_elements(value, [&](ondemand::value& v) { sum += text_of(v, depth - 1); });
        break;
      case ondemand::json_type::object:
        if (depth > 0) sum = item_of(value, depth - 1, false);
        break;
      default:
        break;
    }
    return sum;
  }

  tally item_of(ondemand::value& value, unsigned depth, bool is_call) {
    std::array<tally, std::size(text_keys)> texts{};
    tally name;
    tally image;
    ondemand::object item;
    if (value.get_object().get(item) != simdjson::SUCCESS) return broken();
    walk_fields(item, [&](std::string_view key, ondemand::value& v) {
      if (key == "type") {
        image.images = index_of(image_types, type_name_of(v)) < std::size(image_types) ? 1 : 0;
      } else if (key == "name" && is_call) {
        name = text_of(v, 0);
      } else if (auto const i = index_of(text_keys, key); i < std::size(text_keys)) {
        bool const opens_call =
            index_of(call_keys, key) < std::size(call_keys) && depth > 0 && type_of(v) == ondemand::json_type::object;
        texts[i] = opens_call ? item_of(v, depth - 1, true) : text_of(v, depth);
      }
    });
    tally sum = image;
    sum += name;
    for (auto const& t : texts) sum += t;
    return sum;
  }

  /// A part of the request that the model reads as JSON.
  tally raw_text_of(ondemand::value& value) {
    std::string_view raw;
    if (type_of(value) == ondemand::json_type::object) {
      ondemand::object object;
      if (value.get_object().get(object) != simdjson::SUCCESS) return broken();
      if (object.raw_json().get(raw) != simdjson::SUCCESS) return broken();
    } else if (type_of(value) == ondemand::json_type::array) {
      ondemand::array array;
      if (value.get_array().get(array) != simdjson::SUCCESS) return broken();
      if (array.raw_json().get(raw) != simdjson::SUCCESS) return broken();
    }
    // simdjson computes the distance to the next token and trusts that there is one. One comparison avoids that.
    if (raw.size() > body_.size()) return broken();
    return tally_of(measure_json(raw));
  }

  std::string name_of(ondemand::value& value) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return {};
    return std::string(front_of(text, longest_name));
  }

  static std::string_view type_name_of(ondemand::value& value) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return {};
    return text;
  }

  /// A string as written, with its escapes. Not consumed: the caller's iteration skips it.
  static std::string_view between_quotes(ondemand::value& value) {
    auto const token = value.raw_json_token();
    auto const last = token.rfind('"');
    return last == std::string_view::npos || last == 0 ? std::string_view{} : token.substr(1, last - 1);
  }

  /// Marks the document as invalid if no value begins here; simdjson itself would continue.
  ondemand::json_type type_of(ondemand::value& value) {
    auto type = ondemand::json_type::null;
    if (value.type().get(type) != simdjson::SUCCESS) broken_ = true;
    return type;
  }

  tally broken() {
    broken_ = true;
    return {};
  }

  template <class F>
  void walk_fields(ondemand::object& object, F use) {
    for (auto result : object) {
      ondemand::field field;
      if (std::move(result).get(field) != simdjson::SUCCESS) broken_ = true;
      if (broken_) return;
      auto const key = key_of(field);
      type_of(field.value());
      if (broken_) return;
      use(key, field.value());
      if (broken_) return;
    }
  }

  template <class F>
  void walk_elements(ondemand::value& value, F use) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) broken_ = true;
    if (broken_) return;
    for (auto&& result : array) {
      ondemand::value element;
      if (std::forward<decltype(result)>(result).get(element) != simdjson::SUCCESS) broken_ = true;
      if (broken_) return;
      type_of(element);
      if (broken_) return;
      use(element);
      if (broken_) return;
    }
  }

  std::string_view body_;
  body_facts& facts_;
  bool broken_ = false;
  bool has_model_ = false;
  std::array<tally, std::size(spoken_keys)> spoken_{};
  std::array<tally, std::size(raw_keys)> raw_{};
  std::array<std::optional<std::uint64_t>, std::size(maximum_keys)> maximum_{};
};

bool read_json(std::string_view json, std::size_t capacity, body_facts& facts) {
  facts = {};
  facts.parsed =
      with_json(json, capacity, [&](ondemand::document& document) { return body_walker(json, facts).walk(document); });
  return facts.parsed;
}

}  // namespace

body_facts inspect_body(std::string_view body, std::size_t capacity, content_coding coding) {
  body_facts facts;
  if (coding == content_coding::identity && read_json(body, capacity, facts)) return facts;
  auto const text = json_in(body, coding);
  if (!text.empty() && read_json(text, text.capacity(), facts)) return facts;
  facts = {};
  facts.input_chars = body.size();
  facts.input_kinds.dense = body.size();
  return facts;
}

}  // namespace cooldown::http
