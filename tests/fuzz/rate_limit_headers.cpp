// Field lines, one a line; after an empty line the body of a 429.
#include "cooldown/dialect/rate_limit_headers.hpp"

#include <string>
#include <vector>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/http/error_fields.hpp"
#include "cooldown/text/delay_text.hpp"

#include "fuzz.hpp"

namespace cooldown::fuzz {
namespace {

constexpr wall_time now{std::chrono::seconds{1'795'464'000}};  // 2026-11-23T20:00:00Z
constexpr duration year = std::chrono::hours{366 * 24};
constexpr std::uint64_t most = 1ULL << 53;

std::vector<header_field> fields_of(std::string_view lines) {
  std::vector<header_field> fields;
  while (!lines.empty()) {
    auto line = take_until(lines, "\n");
    auto const name = take_until(line, ":");
    fields.push_back({name, line});
  }
  return fields;
}

bool same(const limit_snapshot& a, const limit_snapshot& b) {
  return a.limit == b.limit && a.remaining == b.remaining && a.reset == b.reset;
}

void check_delay(duration d) {
  require(d >= duration::zero() && d <= year, "a delay is between nothing and a year");
  auto const again = parse_delay(decimal_seconds(d), now);
  require(!again || (*again >= d && *again < d + std::chrono::milliseconds{1}), "a delay as we write it is that delay");
  require(again || d > year - std::chrono::milliseconds{1}, "a delay as we write it can be read");
  require(!delay_in_words(d).empty(), "a delay can be told in words");
}

void check(const rate_limit_snapshot& s) {
  for (auto const& [id, l] : s.limits) {
    require(!l.limit || (*l.limit > 0 && *l.limit <= most), "a limit is positive and exact as a double");
    require(!l.remaining || *l.remaining <= most, "what remains is exact as a double");
    if (l.reset) check_delay(*l.reset);
  }
  auto const& main = s.at(resource::tokens, window::minute);
  require(main.limit && (main.remaining || main.reset), "a snapshot has tokens a minute");
}

void check_headers(const std::vector<header_field>& fields) {
  auto const read = parse_rate_limit_headers(fields, now);
  auto const* const snapshot = std::get_if<rate_limit_snapshot>(&read);
  if (snapshot != nullptr) {
    check(*snapshot);
  } else {
    require(!std::get<rate_limit_header_error>(read).message.empty(), "an error says what is missing");
  }
  // Of a repeated field the most careful value holds: then the order cannot matter.
  std::vector<header_field> const reversed(fields.rbegin(), fields.rend());
  auto const again = parse_rate_limit_headers(reversed, now);
  require(read.index() == again.index(), "the order of fields decides nothing");
  if (snapshot == nullptr) return;
  auto const& limits = snapshot->limits;
  if (std::distance(limits.begin(), limits.end()) == most_limits) return;  // of more, the first count
  for (auto const& [id, shown] : limits)
    require(same(shown, std::get<rate_limit_snapshot>(again).at(id)), "the order of fields changes no value");
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  exact_copy const copy(view_of(data, size));
  auto body = copy.view();
  auto const fields = fields_of(take_until(body, "\n\n"));
  check_headers(fields);
  for (auto const& f : fields)
    if (auto const d = cooldown::parse_delay(f.value, now)) check_delay(*d);
  if (auto const d = cooldown::retry_after_of(fields, now)) check_delay(*d);
  auto const error = cooldown::http::read_error(body);
  auto const refusal = cooldown::classify_refusal({error.message, error.type, error.code, error.wait}, fields, now);
  if (refusal.retry_after) check_delay(*refusal.retry_after);
  return 0;
}
