#include "cooldown/state/learned_json.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11/algorithm.hpp>

namespace cooldown {

BOOST_DESCRIBE_STRUCT(spent_part, (), (ago, amount))
BOOST_DESCRIBE_STRUCT(learned_hidden_limit, (),
                      (configured, value, guessed, told, measured, born, met_at, dry_since, dry_until, empty_at,
                       first_at, tried_at, lowered_at, steadfast_until, in_vain, dried, lowered_early,
                       spent_since_empty, spent_since_run, spent_since_first, owed, failed_repayments, step, held,
                       failed_climbs, lowered_from, seen_then))
BOOST_DESCRIBE_STRUCT(learned_limit, (),
                      (id, limit, highest, reported, shown, shown_by_answers, told_at, shown_at, taken_at, level, spent,
                       margin, gone, gone_at, rounds, belief, drift, announced, reset_votes, reset_at, window_start,
                       spent_since_reset, assumed, probed_at, phase, suspected_at, suspected_level, suspected_refunds,
                       spent_since_suspected, refused_tests, next_test, hidden))
BOOST_DESCRIBE_STRUCT(learned_clock, (), (ahead, told))
BOOST_DESCRIBE_STRUCT(learned_pacing, (),
                      (last_release, last_heard, last_refusal, last_burst, refused_probes, rounds, backed_off_until,
                       hold_until, hold_set, cautious, capacity_rounds, round_until, capacity_until, capacity_word,
                       spacing))
BOOST_DESCRIBE_STRUCT(learned_concurrency, (),
                      (limit, proven, step, failed_steps, luck, changed_at, refused_at, answer_time, refusal_time))
BOOST_DESCRIBE_STRUCT(learned_input, (), (ratio, least, seen))
BOOST_DESCRIBE_STRUCT(learned_output, (),
                      (missing_maximum, missing_maximum_seen, missing_maximum_until, cap, cap_until, cap_from, cap_to,
                       cap_supported, doubts, charged_until))
BOOST_DESCRIBE_STRUCT(learned_costs, (), (inputs, inputs_observed, output, use_share, uses))
BOOST_DESCRIBE_STRUCT(learned_use, (), (share, mean, share_error, mean_error, largest, seen))
BOOST_DESCRIBE_STRUCT(learned_client, (), (urgency, client, weight, ahead, use))
BOOST_DESCRIBE_STRUCT(learned_shares, (), (use, clients))
BOOST_DESCRIBE_STRUCT(learned_total, (), (factor, last_share, proven_at))
BOOST_DESCRIBE_STRUCT(learned_quota, (),
                      (limits, requests, tokens, totals, proven_requests, answered, last_update, careful_until, pacing,
                       concurrency))
BOOST_DESCRIBE_STRUCT(learned_scope, (),
                      (model, credential, last_used, last_refusal, succeeded, clock, costs, shares, quota))

}  // namespace cooldown

namespace cooldown::state {
namespace {

namespace json = boost::json;

template <class T>
using members_of = boost::describe::describe_members<T, boost::describe::mod_public>;

template <class T>
constexpr bool is_described = boost::describe::has_describe_members<T>::value;

// A window as seconds, a limit as [what it counts, seconds].
json::value text_of(const limit_id& id) {
  return json::array{static_cast<unsigned>(id.counts), id.over.length() / std::chrono::seconds{1}};
}

json::value text_of(duration d) {
  return d.count();
}

template <class T>
requires std::is_arithmetic_v<T> json::value text_of(T number) {
  return number;
}

json::value text_of(const std::string& text) {
  return json::value(text);
}

template <class T>
json::value text_of(const std::optional<T>& perhaps);
template <class T>
json::value text_of(const std::vector<T>& all);
template <class T, std::size_t n>
json::value text_of(const std::array<T, n>& all);

template <class T>
requires is_described<T> json::value text_of(const T& object) {
  json::object out;
  boost::mp11::mp_for_each<members_of<T>>([&](auto member) { out[member.name] = text_of(object.*member.pointer); });
  return out;
}

template <class All>
json::value list_of(const All& all) {
  json::array out;
  for (auto const& each : all) out.push_back(text_of(each));
  return out;
}

template <class T>
json::value text_of(const std::optional<T>& perhaps) {
  return perhaps ? text_of(*perhaps) : json::value(nullptr);
}

template <class T>
json::value text_of(const std::vector<T>& all) {
  return list_of(all);
}

template <class T, std::size_t n>
json::value text_of(const std::array<T, n>& all) {
  return list_of(all);
}

// Each of these returns false if the value is of another type.

template <class T>
requires std::is_integral_v<T>
bool read(const json::value& from, T& into) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_bool()) return false;
    into = from.get_bool();
    return true;
  } else {
    json::error_code wrong;
    into = from.is_number() ? from.to_number<T>(wrong) : T{};
    return from.is_number() && !wrong;
  }
}

bool read(const json::value& from, double& into) {
  json::error_code wrong;
  if (!from.is_number()) return false;
  into = from.to_number<double>(wrong);
  return !wrong && std::isfinite(into);
}

bool read(const json::value& from, std::string& into) {
  if (!from.is_string()) return false;
  into = std::string(from.get_string());
  return true;
}

bool read(const json::value& from, duration& into) {
  duration::rep count = 0;
  if (!read(from, count)) return false;
  into = duration{count};
  return true;
}

bool read(const json::value& from, limit_id& into) {
  auto const* const pair = from.if_array();
  if (!pair || pair->size() != 2) return false;
  unsigned counts = 0;
  std::uint32_t seconds = 0;
  if (!read((*pair)[0], counts) || !read((*pair)[1], seconds) || counts >= resource_count) return false;
  auto const over = window::of(std::chrono::seconds{seconds});
  if (!over) return false;
  into = {static_cast<resource>(counts), *over};
  return true;
}

template <class T>
bool read(const json::value& from, std::optional<T>& into);
template <class T>
bool read(const json::value& from, std::vector<T>& into);
template <class T, std::size_t n>
bool read(const json::value& from, std::array<T, n>& into);

template <class T>
requires is_described<T>
bool read(const json::value& from, T& into) {
  auto const* const object = from.if_object();
  if (!object) return false;
  bool good = true;
  boost::mp11::mp_for_each<members_of<T>>([&](auto member) {
    if (auto const* const value = object->if_contains(member.name)) good = read(*value, into.*member.pointer) && good;
  });
  return good;
}

template <class T>
bool read(const json::value& from, std::optional<T>& into) {
  into.reset();
  return from.is_null() || read(from, into.emplace());
}

template <class T>
bool read(const json::value& from, std::vector<T>& into) {
  auto const* const all = from.if_array();
  if (!all) return false;
  into.clear();
  for (auto const& each : *all)
    if (!read(each, into.emplace_back())) return false;
  return true;
}

template <class T, std::size_t n>
bool read(const json::value& from, std::array<T, n>& into) {
  auto const* const all = from.if_array();
  if (!all || all->size() != n) return false;
  for (std::size_t i = 0; i < n; ++i)
    if (!read((*all)[i], into[i])) return false;
  return true;
}

}  // namespace

std::string to_json(const learned_scope& scope) {
  return json::serialize(text_of(scope));
}

std::optional<learned_scope> learned_scope_of(std::string_view text) {
  json::error_code wrong;
  auto const parsed = json::parse(text, wrong);
  learned_scope scope;
  if (wrong || !read(parsed, scope)) return std::nullopt;
  return scope;
}

}  // namespace cooldown::state
