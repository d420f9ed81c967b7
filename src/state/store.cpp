#include "cooldown/state/store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include "cooldown/state/learned_json.hpp"

namespace cooldown::state {
namespace {

constexpr int schema = 1;
// Another process may be writing: a backup, or a second proxy with the same file.
constexpr int busy_milliseconds = 2'000;
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

/// The file with its mode, before SQLite creates it readable by others.
void create_private(const std::string& file) {
  int const fd = open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) throw store_error(file + ": " + std::strerror(errno));
  close(fd);
}

bool is_damage(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

[[noreturn]] void fail(const std::string& file, sqlite3* db, int code) {
  auto const* const why = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  auto const text = file + ": " + why;
  if (is_damage(code)) throw damaged(text);
  throw store_error(text);
}

std::string joined(std::string_view each) {
  std::string out;
  for (auto const* const name : figure_names) out += fmt::format(fmt::runtime(each), fmt::arg("name", name));
  return out;
}

}  // namespace

/// A prepared statement: values are bound in order, then rows are read.
class store::statement {
 public:
  statement(const store& of, const std::string& sql) : of_(of) {
    check(sqlite3_prepare_v2(of.db_.get(), sql.c_str(), static_cast<int>(sql.size()), &made_, nullptr));
  }
  ~statement() { sqlite3_finalize(made_); }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  statement& bind(std::int64_t value) {
    check(sqlite3_bind_int64(made_, ++bound_, value));
    return *this;
  }
  statement& bind(double value) {
    check(sqlite3_bind_double(made_, ++bound_, value));
    return *this;
  }
  /// `text` lives until the next call of step().
  statement& bind(const std::string& text) {
    check(sqlite3_bind_text(made_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
    return *this;
  }

  /// True: there is a row.
  bool step() {
    int const code = sqlite3_step(made_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) check(code);
    return false;
  }
  /// Performs it, and is ready for other values.
  void perform() {
    step();
    check(sqlite3_reset(made_));
    bound_ = 0;
  }

  std::int64_t integer(int column) const { return sqlite3_column_int64(made_, column); }
  double number(int column) const { return sqlite3_column_double(made_, column); }
  std::string text(int column) const {
    auto const* const bytes = sqlite3_column_text(made_, column);
    auto const size = static_cast<std::size_t>(sqlite3_column_bytes(made_, column));
    return bytes ? std::string(reinterpret_cast<const char*>(bytes), size) : std::string();
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) fail(of_.file_, of_.db_.get(), code);
  }

  const store& of_;
  sqlite3_stmt* made_ = nullptr;
  int bound_ = 0;
};

void store::closer::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}

store::store(std::string name, access how) : file_(std::move(name)) {
  bool const writes = how == access::write;
  auto const& file = file_;
  if (writes) create_private(file);
  sqlite3* opened = nullptr;
  int const flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  int const code = sqlite3_open_v2(file.c_str(), &opened, flags, nullptr);
  db_.reset(opened);
  if (code != SQLITE_OK) fail(file, opened, code);
  sqlite3_busy_timeout(opened, busy_milliseconds);
  if (!writes) {
    statement version(*this, "PRAGMA user_version");
    version.step();
    if (version.integer(0) != schema)
      throw store_error(
          fmt::format("{}: another version of cooldown-proxy has written it (schema {}, this one knows {})", file,
                      version.integer(0), schema));
    return;
  }
  run("PRAGMA journal_mode = WAL");
  // A crash of the machine may lose the last transactions, never more; a crash of the process loses none.
  run("PRAGMA synchronous = NORMAL");
  migrate();
}

store::~store() = default;
store::store(store&&) noexcept = default;
store& store::operator=(store&&) noexcept = default;

void store::run(const char* sql) {
  int const code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(file_, db_.get(), code);
}

void store::migrate() {
  run("BEGIN IMMEDIATE");
  statement version(*this, "PRAGMA user_version");
  version.step();
  auto const found = version.integer(0);
  if (found > schema)
    throw store_error(
        fmt::format("{}: a newer cooldown-proxy has written it (schema {}, this one knows {})", file_, found, schema));
  if (found < schema) {
    auto const columns = joined(", {name} REAL NOT NULL");
    run(fmt::format(fmt::runtime(tables), columns).c_str());
    run(fmt::format("PRAGMA user_version = {}", schema).c_str());
  }
  version.perform();
  run("COMMIT");
}

learned_state store::learned(const std::string& account) {
  learned_state out;
  statement find(*this, "SELECT saved_at, scopes FROM learned WHERE account = ?");
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
  run("BEGIN IMMEDIATE");
  try {
    add_usage(used);
    for (auto const& each : learned) replace_learned(each);
    run("COMMIT");
  } catch (...) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

void store::add_usage(const usage_rows& used) {
  static const auto sql = "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?" + joined(", ?") +
                          ") ON CONFLICT DO UPDATE SET " + joined("{name} = {name} + excluded.{name}, ") +
                          "span = span";
  statement upsert(*this, sql);
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
  statement replace(*this, "INSERT OR REPLACE INTO learned VALUES (?, ?, ?)");
  replace.bind(of.account).bind(of.learned.saved_at.time_since_epoch().count()).bind(lines).perform();
}

void store::prune(const retention& keep, wall_time now) {
  auto const seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  std::array<std::chrono::seconds, 3> const kept{keep.minutes, keep.hours, keep.days};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    // Whole hours and days go, so that usage() can tell whether something is missing.
    auto const end = floor_to(spans[std::min(i + 1, spans.size() - 1)], seconds - kept[i].count());
    statement drop(*this, "DELETE FROM usage WHERE span = ? AND start < ?");
    drop.bind(spans[i]).bind(end).perform();
  }
  statement forget(*this, "DELETE FROM learned WHERE saved_at < ?");
  forget.bind((now - oldest_age).time_since_epoch().count()).perform();
}

/// The finest span that is complete since then.
std::int64_t store::span_since(std::int64_t since) {
  std::array<std::int64_t, 3> first{};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    statement find(*this, "SELECT min(start) FROM usage WHERE span = ?");
    find.bind(spans[i]).step();
    first[i] = find.integer(0);
  }
  bool const hours_whole = floor_to(spans[2], first[1]) == first[2];
  bool const minutes_whole = hours_whole && floor_to(spans[1], first[0]) == first[1];
  if (minutes_whole || first[0] <= since) return spans[0];
  return hours_whole || first[1] <= since ? spans[1] : spans[2];
}

std::vector<usage_sum> store::usage(std::int64_t since, grouping by) {
  constexpr std::array<const char*, 6> groups{"model",
                                              "client",
                                              "upstream",
                                              "outcome",
                                              "strftime('%Y-%m-%d', start, 'unixepoch')",
                                              "strftime('%Y-%m-%dT%H:00Z', start, 'unixepoch')"};
  auto const* const group = groups[static_cast<std::size_t>(by)];
  auto const span = span_since(since);
  bool const in_time = by == grouping::day || by == grouping::hour;
  statement sum(*this, fmt::format("SELECT {}{} FROM usage WHERE span = ? AND start >= ? GROUP BY 1 ORDER BY {}", group,
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
