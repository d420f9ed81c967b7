#include "cooldown/http/usage_reader.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/text/either_byte.hpp"

#include "json_reader.hpp"

namespace cooldown::http {
namespace {

constexpr std::string_view data_field = "data:";
constexpr std::string_view event_start = "data: {";

// No request has this many tokens; sums of such counts do not overflow.
constexpr std::uint64_t most_tokens = 1'000'000'000'000;

struct counts {
  std::optional<std::uint64_t> prompt, completion, total, cached;
  std::uint64_t beside = 0;  // of the input, not counted as such
};

std::optional<std::uint64_t> tokens_of(ondemand::value& value) {
  auto const n = number_rounded_up(value);
  return n && *n <= most_tokens ? n : std::nullopt;
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

void read_details(ondemand::value& details, std::optional<std::uint64_t>& cached) {
  ondemand::object object;
  if (details.get_object().get(object) != simdjson::SUCCESS) return;
  each_field(object, [&](std::string_view key, ondemand::value& value) {
    if (key == "cached_tokens") cached = tokens_of(value);
  });
}

/// Chat completions use prompt_tokens and completion_tokens, the Responses API and Messages use input_tokens and
/// output_tokens. Messages count input read from or written to a cache separately.
std::optional<counts> read_counts(std::string_view json) {
  counts out;
  bool const ok = with_json(json, 0, [&](ondemand::document& document) {
    ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) return false;
    return each_field(object,
                      [&](std::string_view key, ondemand::value& value) {
                        if (key == "prompt_tokens" || key == "input_tokens") {
                          out.prompt = tokens_of(value);
                        } else if (key == "completion_tokens" || key == "output_tokens") {
                          out.completion = tokens_of(value);
                        } else if (key == "total_tokens") {
                          out.total = tokens_of(value);
                        } else if (key == "cache_read_input_tokens") {
                          out.cached = tokens_of(value);
                          out.beside += out.cached.value_or(0);
                        } else if (key == "cache_creation_input_tokens") {
                          out.beside += tokens_of(value).value_or(0);
                        } else if (key == "prompt_tokens_details" || key == "input_tokens_details") {
                          read_details(value, out.cached);
                        }
                      }) &&
           is_at_end(document);
  });
  return ok ? std::optional(out) : std::nullopt;
}

/// Takes a count unless it is zero. Returns true if a zero was ignored.
bool replace(std::uint64_t& known, const std::optional<std::uint64_t>& told) {
  if (!told) return false;
  if (*told == 0) return known > 0;
  known = *told;
  return false;
}

/// The size of an event at the front of `text` that consists of one data line and says nothing of usage; 0: none.
/// Nearly all events of a stream are such.
std::size_t event_without_usage(std::string_view text) {
  auto const end = text.find('\n');
  if (end == std::string_view::npos || !text.substr(end).starts_with("\n\n")) return 0;
  auto const line = text.substr(0, end);
  bool const is_one = line.starts_with(data_field) && line.find("usage") == std::string_view::npos &&
                      line.find('\r') == std::string_view::npos;
  return is_one ? end + 2 : 0;
}

}  // namespace

usage_reader::usage_reader(content_coding coding) : coding_(coding) {
  if (coding == content_coding::zlib) inflater_.emplace();
}

void usage_reader::feed(std::string_view bytes) {
  if (coding_ == content_coding::identity) return read(bytes);
  bool const read_all = inflater_ && inflater_->feed(bytes, [this](std::string_view text) { read(text); });
  if (!read_all) unread_ += bytes.size();
}

void usage_reader::read(std::string_view text) {
  bytes_ += text.size();
  either_byte ends(text, '\n', '\r');
  for (std::size_t at = 0; at < text.size(); ++at) {
    at += pass_events(text.substr(at));
    auto const end = ends.next(at);
    take(text.substr(at, end - at));
    if (end == text.size()) return;
    end_line(text[end]);
    at = end;
  }
}

/// Passes over events without usage. Returns their size.
std::size_t usage_reader::pass_events(std::string_view text) {
  if (!events_ || line_ > 0 || !finder_.is_at_start()) return 0;
  std::size_t passed = 0;
  while (auto const size = event_without_usage(text.substr(passed))) {
    line_ = size - 2;
    line_start_ = text.substr(passed, std::min(line_, event_start.size()));
    count_line();
    passed += size;
    line_end_ = '\n';
  }
  line_start_.clear();
  line_ = 0;
  return passed;
}

/// A part of a line.
void usage_reader::take(std::string_view part) {
  auto const before = line_start_.size();
  line_start_.append(part.substr(0, event_start.size() - before));
  line_ += part.size();
  bool const is_data = line_start_.starts_with(data_field);
  // Not the start of a line of JSON.
  if (is_data && !events_) {
    events_ = true;
    finder_.restart();
  }
  if (events_ && is_data) part.remove_prefix(data_field.size() - std::min(before, data_field.size()));
  if (!events_ || is_data) find(part);
}

void usage_reader::find(std::string_view json) {
  finder_.feed(json, [this](std::string_view object) { believe(object); });
}

void usage_reader::end_line(char end) {
  bool const half = end == '\n' && line_end_ == '\r' && line_ == 0;
  line_end_ = end;
  if (half) return;
  // An event ends with an empty line; until then its data lines form one text.
  if (events_ && line_ == 0) finder_.restart();
  // A line break is white space between JSON tokens, and cannot occur inside a string.
  if (!events_ || line_start_.starts_with(data_field)) find("\n");
  count_line();
  line_start_.clear();
  line_ = 0;
}

void usage_reader::count_line() {
  if (line_start_ != event_start) return;
  shortest_event_ = event_count_ == 0 ? line_ : std::min(shortest_event_, line_);
  event_bytes_ += line_;
  ++event_count_;
}

std::uint64_t usage_reader::tokens_so_far() const {
  if (event_count_ == 0) return unread_ + bytes_ / 4;
  return unread_ + event_count_ + (event_bytes_ - event_count_ * shortest_event_) / 3;
}

void usage_reader::believe(std::string_view object) {
  auto const told = read_counts(object);
  if (!told) return;
  auto const prompt = told->prompt ? std::optional(*told->prompt + told->beside) : std::nullopt;
  bool kept = replace(known_.prompt_tokens, prompt);
  kept = replace(known_.completion_tokens, told->completion) || kept;
  replace(known_.cached_tokens, told->cached);
  auto const sum = known_.prompt_tokens + known_.completion_tokens;
  auto const total = told->total.value_or(0);
  if (!told->prompt && !told->completion && total == 0) return;
  // A total that is smaller than its known parts is ignored.
  known_.total_tokens = total == 0 || (kept && total < sum) ? sum : total;
}

std::optional<usage> usage_reader::finish() const {
  return known_.total_tokens > 0 ? std::optional(known_) : std::nullopt;
}

}  // namespace cooldown::http
