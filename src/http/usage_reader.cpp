#include <algorithm>
#include <limits>
#include <utility>

#include "cooldown/http/body_facts.hpp"

#include "json_reader.hpp"

namespace cooldown::http {
namespace {

// An answer has one usage, or one per event. Not to go further back bounds the work on a body made to cost some.
constexpr unsigned most_candidates = 16;

constexpr std::string_view event_start = "data: {";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view skip_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

/// What stands behind `"usage":` at `at`, if that is an object: elsewhere it is null (in all events but the last), or
/// the end of a longer name or text, where the quote is escaped.
std::string_view value_at(std::string_view tail, std::size_t at, std::size_t name_size) {
  if (at > 0 && tail[at - 1] == '\\') return {};
  auto rest = skip_space(tail.substr(at + name_size));
  if (!rest.starts_with(':')) return {};
  rest = skip_space(rest.substr(1));
  return rest.starts_with('{') ? rest : std::string_view{};
}

/// The object that `text` begins with, by its braces; empty when it has no end.
std::string_view balanced_object(std::string_view text) {
  unsigned depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto const c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

std::uint64_t saturated_sum(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

template <class F>
bool each_field(ondemand::object& object, F use) {
  for (auto result : object) {
    ondemand::field field;
    if (std::move(result).get(field) != simdjson::SUCCESS) return false;
    auto const key = key_of(field);
    if (field.value().type().error() != simdjson::SUCCESS) return false;
    use(key, field.value());
  }
  return true;
}

void read_cached(ondemand::value& details, std::optional<std::uint64_t>& cached) {
  ondemand::object object;
  if (details.get_object().get(object) != simdjson::SUCCESS) return;
  each_field(object, [&](std::string_view key, ondemand::value& value) {
    if (key == "cached_tokens") cached = whole_number(value);
  });
}

/// Chat completions name them prompt_ and completion_tokens, the Responses API input_ and output_tokens.
std::optional<usage> read_usage(std::string_view json, std::size_t capacity) {
  std::optional<std::uint64_t> prompt, completion, total, cached;
  bool const ok = with_json(json, capacity, [&](ondemand::document& document) {
    ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) return false;
    return each_field(object,
                      [&](std::string_view key, ondemand::value& value) {
                        if (key == "prompt_tokens" || key == "input_tokens") {
                          prompt = whole_number(value);
                        } else if (key == "completion_tokens" || key == "output_tokens") {
                          completion = whole_number(value);
                        } else if (key == "total_tokens") {
                          total = whole_number(value);
                        } else if (key == "prompt_tokens_details" || key == "input_tokens_details") {
                          read_cached(value, cached);
                        }
                      }) &&
           is_at_end(document);
  });
  if (!ok || (!prompt && !completion && !total)) return std::nullopt;
  usage out;
  out.prompt_tokens = prompt.value_or(0);
  out.completion_tokens = completion.value_or(0);
  out.total_tokens = total.value_or(saturated_sum(out.prompt_tokens, out.completion_tokens));
  out.cached_tokens = cached.value_or(0);
  return out;
}

}  // namespace

/// Events are lines that begin with `data:` and an object; what is between them weighs nothing.
void usage_reader::count(std::string_view bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    auto const end = bytes.find('\n');
    auto const part = bytes.substr(0, end);
    if (line_start_.size() < event_start.size())
      line_start_.append(part.substr(0, event_start.size() - line_start_.size()));
    line_ += part.size();
    if (end == std::string_view::npos) return;
    if (line_start_ == event_start) {
      shortest_event_ = events_ == 0 ? line_ : std::min(shortest_event_, line_);
      event_bytes_ += line_;
      ++events_;
    }
    line_start_.clear();
    line_ = 0;
    bytes.remove_prefix(end + 1);
  }
}

std::uint64_t usage_reader::tokens_so_far() const {
  if (events_ == 0) return bytes_ / 4;
  return events_ + (event_bytes_ - events_ * shortest_event_) / 3;
}

void usage_reader::feed(std::string_view bytes) {
  count(bytes);
  if (bytes.size() > tail_size) bytes = bytes.substr(bytes.size() - tail_size);
  if (tail_.size() + bytes.size() > 2 * tail_size) {
    auto const keep = tail_size - bytes.size();  // moves at most what was appended since the last time
    tail_.erase(0, tail_.size() - keep);
  }
  if (tail_.size() + bytes.size() > tail_size) tail_.reserve(2 * tail_size);
  tail_.append(bytes);
}

std::optional<usage> usage_reader::finish() const {
  // Exactly the tail, so that the answer does not depend on how the body was cut into pieces.
  auto const tail = std::string_view(tail_).substr(tail_.size() - std::min(tail_.size(), tail_size));
  constexpr std::string_view name = "\"usage\"";
  unsigned candidates = 0;
  for (auto end = tail.size(); end >= name.size() && candidates < most_candidates;) {
    auto const at = tail.rfind(name, end - name.size());
    if (at == std::string_view::npos) break;
    end = at;
    auto const value = value_at(tail, at, name.size());
    if (value.empty()) continue;
    ++candidates;
    auto const object = balanced_object(value);
    if (object.empty()) continue;
    if (auto const found = read_usage(object, value.size())) return found;
  }
  return std::nullopt;
}

}  // namespace cooldown::http
