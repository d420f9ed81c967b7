#include "usage_view.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <utility>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "cooldown/http/json_text.hpp"

#include "exit_codes.hpp"
#include "numbers.hpp"

namespace cooldown::cli {
namespace {

namespace json = boost::json;
using state::figure;
using state::usage_sum;

constexpr std::size_t widest_name = 40;

double of(const usage_sum& s, figure which) {
  return s.amounts[static_cast<std::size_t>(which)];
}

/// Figures are whole numbers, except seconds.
std::string plain(double value) {
  return value == static_cast<double>(static_cast<std::int64_t>(value)) ? fmt::format("{:.0f}", value)
                                                                        : fmt::format("{:.3f}", value);
}

json::value number(double value) {
  auto const whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? json::value(whole) : json::value(value);
}

std::string as_json(const std::vector<usage_sum>& sums, std::string_view by) {
  json::array out;
  for (auto const& each : sums) {
    json::object row{{by, each.of}};
    for (std::size_t i = 0; i < state::figure_count; ++i) row[state::figure_names[i]] = number(each.amounts[i]);
    out.push_back(std::move(row));
  }
  return http::visible(json::serialize(out)) + "\n";
}

/// RFC 4180.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char const c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

std::string as_csv(const std::vector<usage_sum>& sums, std::string_view by) {
  std::string out(by);
  for (auto const* const name : state::figure_names) out.append(",").append(name);
  for (auto const& each : sums) {
    out += '\n' + quoted(each.of);
    for (double const value : each.amounts) out += ',' + plain(value);
  }
  return out + '\n';
}

usage_sum total_of(const std::vector<usage_sum>& sums) {
  usage_sum total{.of = "all"};
  for (auto const& each : sums) state::add(total.amounts, each.amounts);
  return total;
}

std::string row_of(const usage_sum& s, std::size_t width) {
  auto const waited = of(s, figure::waited);
  auto const name = http::visible(s.of).substr(0, widest_name);
  return fmt::format(
      "{:<{}}  {:>9}  {:>13}  {:>13}  {:>13}  {:>13}  {:>8}  {:>9}  {:>6}\n", name, width,
      grouped(of(s, figure::requests)), grouped(of(s, figure::prompt_tokens)), grouped(of(s, figure::cached_tokens)),
      grouped(of(s, figure::completion_tokens)), grouped(of(s, figure::reserved_tokens)), grouped(waited),
      waited > 0 ? seconds_text(of(s, figure::wait_seconds) / waited) : "-", grouped(of(s, figure::upstream_refusals)));
}

std::string as_table(const std::vector<usage_sum>& sums, std::string_view by) {
  if (sums.empty()) return "Nothing was used in that time.\n";
  auto width = std::max<std::size_t>(by.size(), 3);
  for (auto const& each : sums) width = std::max(width, std::min(widest_name, http::visible(each.of).size()));
  auto out = fmt::format("{:<{}}  {:>9}  {:>13}  {:>13}  {:>13}  {:>13}  {:>8}  {:>9}  {:>6}\n", by, width, "requests",
                         "prompt tokens", "of it cached", "output tokens", "reserved", "waited", "mean wait", "429s");
  for (auto const& each : sums) out += row_of(each, width);
  if (sums.size() > 1) out += row_of(total_of(sums), width);
  return out;
}

}  // namespace

std::string render_usage(const std::vector<usage_sum>& sums, std::string_view by, usage_format as) {
  if (as == usage_format::json) return as_json(sums, by);
  return as == usage_format::csv ? as_csv(sums, by) : as_table(sums, by);
}

int show_usage(const std::string& file, std::int64_t since, std::string_view by, usage_format as) {
  if (!std::filesystem::exists(file)) {
    std::cerr << "cooldown-proxy usage: " << http::visible(file)
              << " does not exist: no proxy has recorded its usage there (state.file)\n";
    return unavailable;
  }
  try {
    state::store from(file, state::store::access::read);
    std::cout << render_usage(from.usage(since, *state::grouping_of(by)), by, as);
    return ok;
  } catch (const state::damaged& e) {
    std::cerr << "cooldown-proxy usage: " << http::visible(e.what())
              << ": the proxy will set it aside and begin a new one (state.file)\n";
    return unavailable;
  } catch (const state::store_error& e) {
    std::cerr << "cooldown-proxy usage: " << http::visible(e.what()) << " (state.file)\n";
    return unavailable;
  }
}

}  // namespace cooldown::cli
