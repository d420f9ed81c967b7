#include "cooldown/dialect/refusal_text.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

#include "counts.hpp"

namespace cooldown {
namespace {

constexpr std::size_t longest_read = 4'096;

constexpr bool is_word(char c) {
  return is_letter_or_digit(c) || c == '_';
}

/// The position of `word` at or after `from`, case-insensitively and not within a longer word; npos: none.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0) {
  auto const same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  for (auto begin = text.begin() + static_cast<std::ptrdiff_t>(std::min(from, text.size()));;) {
    auto const found = std::search(begin, text.end(), word.begin(), word.end(), same);
    if (found == text.end()) return std::string_view::npos;
    if (found == text.begin() || !is_word(found[-1])) return static_cast<std::size_t>(found - text.begin());
    begin = found + 1;
  }
}

bool has_word(std::string_view text, std::string_view word) {
  return find_word(text, word) != std::string_view::npos;
}

std::string_view skip(std::string_view text, std::string_view characters) {
  auto const at = text.find_first_not_of(characters);
  return at == std::string_view::npos ? std::string_view{} : text.substr(at);
}

/// The letters at the front.
std::string_view letters(std::string_view text) {
  auto const end = std::find_if_not(text.begin(), text.end(), is_letter);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

bool begins_with_word(std::string_view text) {
  return !text.empty() && is_word(text.front());
}

/// Digits at the front, with commas between them; the rest follows in `text`.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
  std::uint64_t n = 0;
  bool any = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    bool const comma = any && text.front() == ',' && text.size() > 1 && is_digit(text[1]);
    if (comma) continue;
    if (!is_digit(text.front())) break;
    any = true;
    n = n * 10 + static_cast<std::uint64_t>(text.front() - '0');
    if (n > largest_count) return std::nullopt;
  }
  return any ? std::optional{n} : std::nullopt;
}

/// "30000", "30,000", "30k", "1.5M". Without a suffix a fraction may be a separator of thousands ("30.000"): no number.
std::optional<std::uint64_t> number(std::string_view text) {
  auto const whole = take_digits(text);
  if (!whole) return std::nullopt;
  double fraction = 0;
  bool const has_fraction = text.size() > 1 && text[0] == '.' && is_digit(text[1]);
  if (has_fraction) {
    double unit = 1;
    for (text.remove_prefix(1); !text.empty() && is_digit(text.front()); text.remove_prefix(1))
      fraction += (unit /= 10) * (text.front() - '0');
  }
  if (!begins_with_word(text)) return has_fraction ? std::nullopt : whole;
  double const scale = text[0] == 'k' || text[0] == 'K' ? 1e3 : text[0] == 'M' ? 1e6 : 0;
  if (scale == 0 || begins_with_word(text.substr(1))) return std::nullopt;
  double const scaled = (static_cast<double>(*whole) + fraction) * scale;
  return scaled > static_cast<double>(largest_count) ? std::nullopt
                                                     : std::optional{static_cast<std::uint64_t>(std::llround(scaled))};
}

/// "Limit 30000", "Limit: 30,000", "limit of 5", "limited to 20".
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view word) {
  for (auto at = find_word(text, word); at != std::string_view::npos; at = find_word(text, word, at + 1)) {
    auto rest = text.substr(at + word.size());
    for (std::string_view const filler : {"ed to ", " of "})
      if (istarts_with(rest, filler)) rest.remove_prefix(filler.size());
    if (auto const n = number(skip(rest, " :="))) return n;
  }
  return std::nullopt;
}

/// The letters at the front, where no digit follows: "s", not the "s" of "s1-32B".
std::string_view whole_word(std::string_view text) {
  auto const word = letters(text);
  return begins_with_word(text.substr(word.size())) ? std::string_view{} : word;
}

struct unit {
  std::string_view name;
  std::uint64_t ns;
};
constexpr unit units[] = {{"milliseconds", 1'000'000},    {"millisecond", 1'000'000},   {"ms", 1'000'000},
                          {"seconds", 1'000'000'000},     {"second", 1'000'000'000},    {"secs", 1'000'000'000},
                          {"sec", 1'000'000'000},         {"s", 1'000'000'000},         {"minutes", 60'000'000'000},
                          {"minute", 60'000'000'000},     {"mins", 60'000'000'000},     {"min", 60'000'000'000},
                          {"m", 60'000'000'000},          {"hours", 3'600'000'000'000}, {"hrs", 3'600'000'000'000},
                          {"hr", 3'600'000'000'000},      {"hour", 3'600'000'000'000},  {"h", 3'600'000'000'000},
                          {"days", 86'400'000'000'000},   {"day", 86'400'000'000'000},  {"d", 86'400'000'000'000},
                          {"weeks", 604'800'000'000'000}, {"week", 604'800'000'000'000}};

std::optional<duration> unit_of(std::string_view name) {
  auto const found = std::ranges::find_if(units, [&](const unit& u) { return iequals(u.name, name); });
  return found == std::end(units) ? std::nullopt : std::optional{duration{static_cast<duration::rep>(found->ns)}};
}

/// The seconds of "1,500", "1.02"; what follows is left in `text`.
std::optional<double> take_figure(std::string_view& text) {
  std::string figure;
  for (; !text.empty(); text.remove_prefix(1)) {
    bool const next_is_digit = text.size() > 1 && is_digit(text[1]);
    if (text.front() == ',' && !figure.empty() && next_is_digit) continue;
    if (!is_digit(text.front()) && !(text.front() == '.' && next_is_digit)) break;
    figure += text.front();
  }
  auto const value = figure.empty() ? std::nullopt : parse_delay(figure, {});
  return value ? std::optional{seconds_of(*value)} : std::nullopt;
}

/// "1.02s", "6m0s", "20 seconds", "1 hour and 3 minutes". A number that nothing follows is one of seconds; one that
/// belongs to a date, a time of day or a count of something else is no delay.
std::optional<duration> delay(std::string_view text) {
  double seconds = 0;
  for (bool first = true;; first = false) {
    auto const figure = take_figure(text);
    if (!figure) break;
    bool const of_a_date = text.size() > 1 && (text[0] == '-' || text[0] == ':') && is_digit(text[1]);
    auto const rest = skip(text, " ");
    auto const name = letters(rest);
    auto const one = unit_of(name);
    if (!one && !first) return duration_of_seconds(seconds);
    if (!one && (of_a_date || !name.empty())) return std::nullopt;
    seconds += *figure * (one ? seconds_of(*one) : 1);
    if (seconds > seconds_of(std::chrono::hours{24 * 366})) return std::nullopt;
    if (!one) return duration_of_seconds(seconds);
    text = skip(rest.substr(name.size()), " ,");
    if (istarts_with(text, "and ")) text.remove_prefix(4);
    if (text.empty() || !is_digit(text.front())) return duration_of_seconds(seconds);
  }
  return std::nullopt;
}

constexpr std::string_view before_a_delay[] = {"try again in", "try again after", "retry in",  "retry after",
                                               "wait for",     "please wait",     "resets in", "reset in"};

std::optional<duration> wait_in(std::string_view text) {
  for (auto const words : before_a_delay) {
    auto const at = find_word(text, words);
    if (at == std::string_view::npos) continue;
    if (auto const d = delay(skip(text.substr(at + words.size()), " :"))) return d;
  }
  return std::nullopt;
}

/// What is counted stands before it: "3 / min", "requests/min". Neither "https://provider.example/day" nor "`x/m-32B`".
bool counts_before(std::string_view text, std::size_t at) {
  constexpr std::size_t looked_at = 64;
  auto before = text.substr(0, at).substr(at - std::min(at, looked_at));
  while (!before.empty() && before.back() == ' ') before.remove_suffix(1);
  auto const word = before.substr(before.find_last_of(" \"'(<`") + 1);
  constexpr std::string_view counted[] = {"requests", "request", "req", "calls", "call", "tokens", "token"};
  bool const number = !word.empty() && word.find_first_not_of("0123456789,") == std::string_view::npos;
  return number || std::ranges::any_of(counted, [&](std::string_view c) { return iequals(c, word); });
}

void counted_over(duration length, refusal_text& r) {
  auto const over = window::of(length);
  if (over == window::second) {
    r.per_second = true;
  } else if (over) {
    r.over = over;
  }
}

void counted_over(std::string_view name, refusal_text& r) {
  if (iequals(name, "month")) r.over = window::month;
  auto const length = unit_of(name);
  if (!length) return;
  counted_over(*length, r);
}

/// "per min", "per-day", "/ minute", "per 60s", "per 0s".
void read_window(std::string_view text, refusal_text& r) {
  auto const read = [&](std::string_view rest) {
    rest = skip(rest, " -");
    if (rest.empty() || !is_digit(rest.front())) return counted_over(whole_word(rest), r);
    auto const length = delay(rest);
    if (length == duration::zero()) r.at_once = true;
    if (length) counted_over(*length, r);
  };
  for (auto at = find_word(text, "per"); at != std::string_view::npos; at = find_word(text, "per", at + 1))
    if (at + 3 < text.size() && !is_word(text[at + 3])) read(text.substr(at + 3));
  for (auto at = text.find('/'); at != std::string_view::npos; at = text.find('/', at + 1))
    if (counts_before(text, at)) read(text.substr(at + 1));
}

/// RPM, TPD, ITPM, …: resource and window.
void read_abbreviation(std::string_view text, refusal_text& r) {
  for (auto at = text.find('P', 1); at != std::string_view::npos; at = text.find('P', at + 1)) {
    if (at + 1 >= text.size() || (at + 2 < text.size() && is_word(text[at + 2]))) continue;
    auto const counted = text[at - 1];
    if (counted != 'R' && counted != 'T') continue;
    auto first = at - 1;
    if (counted == 'T' && first > 0 && (text[first - 1] == 'I' || text[first - 1] == 'O')) --first;
    if (first > 0 && is_word(text[first - 1])) continue;
    constexpr std::string_view windows = "SMHD";
    if (windows.find(text[at + 1]) == std::string_view::npos) continue;
    auto const part = text[first];
    r.counts = part == 'R'   ? resource::requests
               : part == 'I' ? resource::input_tokens
               : part == 'O' ? resource::output_tokens
                             : resource::tokens;
    auto const name = text.substr(at + 1, 1);
    counted_over(name == "M" ? "min" : name, r);
    return;
  }
}

constexpr std::string_view of_requests[] = {"requests per", "request per", "requests /",
                                            "calls per",    "calls /",     "requests/"};
constexpr std::string_view of_tokens[] = {"tokens per", "token per", "tokens /", "tokens/"};
constexpr std::string_view in_progress[] = {"concurrent", "concurrency", "in parallel", "simultaneous"};

bool has_any(std::string_view text, std::span<const std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view w) { return has_word(text, w); });
}

}  // namespace

refusal_text read_refusal_text(std::string_view text) {
  text = text.substr(0, longest_read);
  refusal_text r;
  read_window(text, r);
  read_abbreviation(text, r);
  if (!r.counts && has_any(text, of_tokens)) r.counts = resource::tokens;
  if (!r.counts && has_any(text, of_requests)) r.counts = resource::requests;
  if (r.counts == resource::tokens && has_word(text, "total tokens")) r.counts = resource::total_tokens;
  if (r.counts == resource::tokens && has_word(text, "input tokens per")) r.counts = resource::input_tokens;
  if (r.counts == resource::tokens && has_word(text, "output tokens per")) r.counts = resource::output_tokens;
  // Where a limit of a window is named, that is advice.
  if (!r.over && has_any(text, in_progress)) r.at_once = true;
  r.limit = number_after(text, "limit");
  r.requested = number_after(text, "requested");
  r.wait = wait_in(text);
  return r;
}

}  // namespace cooldown
