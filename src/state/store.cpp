#include "cooldown/state/store.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cooldown/state/learned_json.hpp"

#include "database.hpp"

namespace cooldown::state {
namespace {

constexpr int schema = 1;
constexpr std::int64_t application = 0x63646e70;  // of a file's application_id: it is ours
constexpr std::array<std::int64_t, 3> spans{60, 3'600, 86'400};

constexpr const char* tables = R"(
CREATE TABLE usage (
  span INTEGER NOT NULL,     -- seconds
  start INTEGER NOT NULL,    -- seconds since 1970
  upstream TEXT NOT NULL, model TEXT NOT NULL, client TEXT NOT NULL, outcome TEXT NOT NULL{},
  PRIMARY KEY (span, start, upstream, model, client, outcome)) WITHOUT ROWID;
CREATE TABLE learned (
  account TEXT NOT NULL,
  saved_at INTEGER NOT NULL, -- nanoseconds since 1970
  scopes TEXT NOT NULL,      -- one JSON object a line
  PRIMARY KEY (account)) WITHOUT ROWID;
)";

std::int64_t floor_to(std::int64_t span, std::int64_t start) {
  return start - (start % span + span) % span;
}

std::string joined(std::string_view each) {
  std::string out;
  for (auto const* const name : figure_names) out += fmt::format(fmt::runtime(each), fmt::arg("name", name));
  return out;
}

}  // namespace

std::optional<grouping> grouping_of(std::string_view word) {
  auto const* const found = std::find(grouping_words.begin(), grouping_words.end(), word);
  if (found == grouping_words.end()) return std::nullopt;
  return static_cast<grouping>(found - grouping_words.begin());
}

store::store(const std::string& file, access how) : db_(std::make_unique<database>(file, how)) {
  auto const found = schema_found();
  if (found == 0 && how == access::read) throw store_error(file + ": is empty: no proxy has recorded its usage there");
  if (found > schema || (how == access::read && found != schema))
    throw store_error(fmt::format("{}: {} version of cooldown-proxy has written it (schema {}, this one knows {})",
                                  file, found > schema ? "a newer" : "another", found, schema));
  if (how == access::read) return;
  db_->run("PRAGMA journal_mode = WAL");
  // A crash of the machine may lose the last transactions, never more; a crash of the process loses none.
  db_->run("PRAGMA synchronous = NORMAL");
  migrate();
}

store::~store() = default;
store::store(store&&) noexcept = default;
store& store::operator=(store&&) noexcept = default;

std::int64_t store::integer_of(const char* query) {
  statement read(*db_, query);
  read.step();
  return read.integer(0);
}

/// 0: nothing has been written yet.
std::int64_t store::schema_found() {
  if (integer_of("SELECT count(*) FROM sqlite_master") == 0) return 0;
  if (integer_of("PRAGMA application_id") != application)
    throw store_error(db_->file() + ": it belongs to another program, and is left alone: name another file");
  return integer_of("PRAGMA user_version");
}

void store::migrate() {
  db_->run("BEGIN IMMEDIATE");
  if (schema_found() < schema) {  // still: another process may have been faster
    db_->run(fmt::format(fmt::runtime(tables), joined(", {name} REAL NOT NULL")));
    db_->run(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", application, schema));
  }
  db_->run("COMMIT");
}

learned_state store::learned(const std::string& account) {
  learned_state out;
  statement find(*db_, "SELECT saved_at, scopes FROM learned WHERE account = ?");
  if (!find.bind(account).step()) return out;
  out.saved_at = wall_time(duration(find.integer(0)));
  auto const lines = find.text(1);
  for (std::string_view rest = lines; !rest.empty();) {
    auto const end = std::min(rest.find('\n'), rest.size());
    if (auto scope = learned_scope_of(rest.substr(0, end))) out.scopes.push_back(std::move(*scope));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

void store::write(const usage_rows& used, const std::vector<account_state>& learned) {
  db_->run("BEGIN IMMEDIATE");
  try {
    add_usage(used);
    for (auto const& each : learned) replace_learned(each);
    db_->run("COMMIT");
  } catch (...) {
    db_->roll_back();
    throw;
  }
}

void store::add_usage(const usage_rows& used) {
  static const auto sql = "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?" + joined(", ?") +
                          ") ON CONFLICT DO UPDATE SET " + joined("{name} = {name} + excluded.{name}, ") +
                          "span = span";
  statement upsert(*db_, sql);
  for (auto const& [key, amounts] : used) {
    for (auto const span : spans) {
      upsert.bind(span).bind(floor_to(span, key.minute));
      upsert.bind(key.upstream).bind(key.model).bind(key.client).bind(key.outcome);
      for (double const each : amounts) upsert.bind(each);
      upsert.perform();
    }
  }
}

void store::replace_learned(const account_state& of) {
  std::string lines;
  for (auto const& scope : of.learned.scopes) lines += to_json(scope) + '\n';
  statement replace(*db_, "INSERT OR REPLACE INTO learned VALUES (?, ?, ?)");
  replace.bind(of.account).bind(of.learned.saved_at.time_since_epoch().count()).bind(lines).perform();
}

void store::prune(const retention& keep, wall_time now) {
  auto const seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  std::array<std::chrono::seconds, 3> const kept{keep.minutes, keep.hours, keep.days};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    // Whole hours and days go, so that usage() can tell whether something is missing.
    auto const end = floor_to(spans[std::min(i + 1, spans.size() - 1)], seconds - kept[i].count());
    statement drop(*db_, "DELETE FROM usage WHERE span = ? AND start < ?");
    drop.bind(spans[i]).bind(end).perform();
  }
  statement forget(*db_, "DELETE FROM learned WHERE saved_at < ?");
  forget.bind((now - oldest_age).time_since_epoch().count()).perform();
}

/// The finest span that is complete since then.
std::int64_t store::span_since(std::int64_t since) {
  std::array<std::int64_t, 3> first{};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    statement find(*db_, "SELECT min(start) FROM usage WHERE span = ?");
    find.bind(spans[i]).step();
    first[i] = find.integer(0);
  }
  bool const hours_whole = floor_to(spans[2], first[1]) == first[2];
  bool const minutes_whole = hours_whole && floor_to(spans[1], first[0]) == first[1];
  if (minutes_whole || first[0] <= since) return spans[0];
  return hours_whole || first[1] <= since ? spans[1] : spans[2];
}

std::vector<usage_sum> store::usage(std::int64_t since, grouping by) {
  constexpr std::array<const char*, grouping_words.size()> groups{"model",
                                                                  "client",
                                                                  "upstream",
                                                                  "outcome",
                                                                  "strftime('%Y-%m-%d', start, 'unixepoch')",
                                                                  "strftime('%Y-%m-%dT%H:00Z', start, 'unixepoch')"};
  auto const* const group = groups[static_cast<std::size_t>(by)];
  auto const span = span_since(since);
  bool const in_time = by == grouping::day || by == grouping::hour;
  statement sum(*db_, fmt::format("SELECT {}{} FROM usage WHERE span = ? AND start >= ? GROUP BY 1 ORDER BY {}", group,
                                  joined(", sum({name})"), in_time ? "1" : "sum(tokens) DESC, 1"));
  sum.bind(span).bind(floor_to(span, since));
  std::vector<usage_sum> out;
  while (sum.step()) {
    auto& each = out.emplace_back(usage_sum{.of = sum.text(0)});
    for (std::size_t i = 0; i < figure_count; ++i) each.amounts[i] = sum.number(static_cast<int>(i) + 1);
  }
  return out;
}

}  // namespace cooldown::state
