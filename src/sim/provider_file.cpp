#include "sim/provider_file.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "cooldown/sim/dialects.hpp"
#include "cooldown/time.hpp"

namespace cooldown::sim {
namespace {

model_limits read_limits(const yaml_node& node, const std::string& path) {
  model_limits limits;
  fields f(node, path);
  for (auto const name : limit_names) f.whole(name, *find_limit(limits, name));
  f.end();
  return limits;
}

std::vector<spent_share> read_spent(const yaml_node& node, const std::string& path) {
  std::vector<spent_share> all;
  fields f(node, path);
  for (auto const name : limit_names) {
    f.with(name, [&](const yaml_node& n, const std::string& p) {
      all.push_back({*limit_id_of(name), number_in(n, p, shares)});
    });
  }
  f.end();
  return all;
}

void read_times(fields& f, timetable& when) {
  f.time("from", when.from);
  f.time("until", when.until);
  f.time("every", when.every);
}

void check_times(const yaml_node& node, const std::string& path, const timetable& when) {
  if (when.every && *when.every <= nanoseconds{0}) throw bad_field{node.at, path + ".every must be longer than 0s"};
}

foreign_use read_foreign(const yaml_node& node, const std::string& path) {
  foreign_use use;
  fields f(node, path);
  f.whole("tpm", use.tpm);
  f.whole("rpm", use.rpm);
  read_times(f, use.when);
  f.end();
  check_times(node, path, use.when);
  return use;
}

std::vector<limit_change> read_changes(const yaml_node& node, const std::string& path) {
  std::vector<limit_change> all;
  for (auto const& item : list_in(node, path)) {
    limit_change change{0, 1};
    fields f(item, path);
    f.number("at", change.at, shares);
    f.number("factor", change.factor, {1e-6, 1e6});
    f.end();
    all.push_back(change);
  }
  return all;
}

void read_load(const yaml_node& node, const std::string& path, provider_settings& s) {
  load_refusals load;
  fields f(node, path);
  f.number("share", load.share, shares);
  read_times(f, load.when);
  f.with("retry_after", [&](const yaml_node& n, const std::string& p) { s.load_retry_after = text_in(n, p); });
  f.with("should_retry", [&](const yaml_node& n, const std::string& p) { s.load_should_retry = flag_in(n, p); });
  f.end();
  check_times(node, path, load.when);
  s.load = load;
}

void read_errors(const yaml_node& node, const std::string& path, provider_settings& s) {
  fields f(node, path);
  f.number("400", s.bad_requests, shares);
  f.number("503", s.failures, shares);
  f.end();
}

void read_tokens(const yaml_node& node, const std::string& path, provider_settings& s) {
  fields f(node, path);
  f.number("mean", s.tokens_per_char, {0.001, 100});
  f.number("noise", s.token_noise, {0, 3});
  f.end();
}

header_anomaly read_anomaly(const yaml_node& node, const std::string& path) {
  header_anomaly a;
  fields f(node, path);
  f.time("at", a.at);
  f.number("factor", a.factor, {0, 1e9});
  f.end();
  return a;
}

std::vector<limit_id> read_hidden(const yaml_node& node, const std::string& path) {
  choices<limit_id> known;
  for (auto const name : limit_names) known.emplace_back(name, *limit_id_of(name));
  std::vector<limit_id> all;
  for (auto const& item : list_in(node, path)) all.push_back(choice_in(item, path, known));
  return all;
}

void read_headers(fields& f, provider_settings& s) {
  f.choice("headers", s.headers,
           {{"none", header_style::none},
            {"resets", header_style::resets},
            {"six", header_style::plain},
            {"six_resets", header_style::all_resets},
            {"two_buckets", header_style::two_buckets}});
  f.with("hidden", [&](const yaml_node& n, const std::string& p) { s.hidden = read_hidden(n, p); });
  f.number("headers_missing", s.headers_missing, shares);
  f.time("headers_until", s.headers_until);
  f.time("headers_stale", s.headers_stale);
  f.with("headers_late", [&](const yaml_node& n, const std::string& p) { s.headers_late = duration_range_in(n, p); });
  f.choice("headers_on", s.headers_on_errors, {{"success", false}, {"all", true}});
  f.with("reset_says", [&](const yaml_node& n, const std::string& p) {
    s.reset_says = duration_of_seconds(number_in(n, p, {0, 3e7}));
  });
  f.with("anomaly", [&](const yaml_node& n, const std::string& p) { s.anomaly = read_anomaly(n, p); });
}

void read_refusals(fields& f, provider_settings& s) {
  f.choice("refusals", s.refusals,
           {{"bare", refusal_style::bare}, {"telling", refusal_style::telling}, {"generic", refusal_style::generic}});
  f.with("retry_after", [&](const yaml_node& n, const std::string& p) {
    s.retry_after = text_in(n, p);
    if (*s.retry_after == "exact") s.retry_after.reset();
  });
  f.with("load", [&](const yaml_node& n, const std::string& p) { read_load(n, p, s); });
  f.with("errors", [&](const yaml_node& n, const std::string& p) { read_errors(n, p, s); });
  f.number("usage_missing", s.usage_missing, shares);
}

}  // namespace

provider_settings read_provider(const yaml_node& node, const std::string& path) {
  provider_settings s;
  fields f(node, path);
  f.choice("refill", s.rules.refill, {refill_names.begin(), refill_names.end()});
  f.with("dialect", [&](const yaml_node& n, const std::string& p) {
    choices<const dialect_profile*> known;
    for (auto const& each : dialects()) known.emplace_back(each.name, &each);
    speak(s, *choice_in(n, p, known));
  });
  f.with("limits", [&](const yaml_node& n, const std::string& p) { s.limits = read_limits(n, p); });
  f.number("total_factor", s.limits.total_factor, {0, 1e6});
  f.integer("concurrency", s.concurrency);
  f.choice("cost", s.rules.cost,
           {{"documented", cost_rule::documented},
            {"measured", cost_rule::measured},
            {"completion_only", cost_rule::completion_only},
            {"at_end", cost_rule::at_end}});
  read_headers(f, s);
  read_refusals(f, s);
  f.with("spent", [&](const yaml_node& n, const std::string& p) { s.spent = read_spent(n, p); });
  f.with("foreign", [&](const yaml_node& n, const std::string& p) { s.foreign = read_foreign(n, p); });
  f.with("changes", [&](const yaml_node& n, const std::string& p) { s.changes = read_changes(n, p); });
  f.with("tokens_per_char", [&](const yaml_node& n, const std::string& p) { read_tokens(n, p, s); });
  f.number("cached", s.cached, shares);
  f.integer("models", s.models, {1, 100});
  f.end();
  if (s.foreign && s.foreign->rpm == 0 && s.foreign->when.always()) {
    s.rules.foreign_tpm = s.foreign->tpm;
    s.foreign.reset();
  }
  return s;
}

std::string complaint(const std::string& file, config::place at, const std::string& message) {
  return file + ":" + std::to_string(std::max(at.line, 1)) + ": " + message;
}

std::variant<provider_file, std::string> load_provider(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string const text(std::istreambuf_iterator<char>(in), {});
  if (!in.good() && !in.eof()) return path + ": cannot read the file";
  auto const tree = config::read_yaml(text);
  if (auto const* const error = std::get_if<config::yaml_error>(&tree))
    return complaint(path, error->at, error->message);
  try {
    provider_file found;
    auto const& root = std::get<yaml_node>(tree);
    fields f(root, "");
    f.with("seconds", [&](const yaml_node& n, const std::string& p) {
      found.length = duration_of_seconds(number_in(n, p, {1, 10'000'000}));
    });
    auto const* const provider = f.find("provider");
    if (provider == nullptr) throw bad_field{root.at, "there is no provider: {...}"};
    found.provider = read_provider(*provider, "provider");
    return found;
  } catch (const bad_field& error) {
    return complaint(path, error.at, error.message);
  }
}

}  // namespace cooldown::sim
