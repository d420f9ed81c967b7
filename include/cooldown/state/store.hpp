// The database of the daemon's memory: what limiters have learned, and what was used. SQLite; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/state/ledger.hpp"

namespace cooldown::state {

class database;

/// The message names the file and says why.
struct store_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// It is a broken database.
struct damaged : store_error {
  using store_error::store_error;
};

/// What a limiter has learned of one account.
struct account_state {
  std::string account;  // identifies upstream and key; contains neither
  learned_state learned;
};

/// For how long figures are kept, by the length of what they are of.
struct retention {
  std::chrono::seconds minutes{std::chrono::hours{48}};
  std::chrono::seconds hours{std::chrono::hours{24} * 60};
  std::chrono::seconds days{std::chrono::hours{24} * 730};
};

/// What a sum of usage is of.
enum class grouping : std::uint8_t { model, client, upstream, outcome, day, hour };
/// In the order of `grouping`.
inline constexpr std::array<std::string_view, 6> grouping_words{"model",   "client", "upstream",
                                                                "outcome", "day",    "hour"};
/// nullopt: it is none of them.
std::optional<grouping> grouping_of(std::string_view word);

struct usage_sum {
  std::string of;  // a name; days and hours as "2026-11-30" and "2026-11-30T18:00Z"
  figures amounts{};
};

class store {
 public:
  enum class access : std::uint8_t { read, write };

  /// For writing, creates the file, readable by its owner alone, or brings an older one up to date. Throws store_error;
  /// so do all others.
  explicit store(const std::string& file, access how = access::write);
  ~store();
  store(store&&) noexcept;
  store& operator=(store&&) noexcept;

  /// What was learned of an account; empty if nothing was.
  learned_state learned(const std::string& account);

  /// Everything or nothing: adds usage to its minutes, hours and days, and replaces what was learned of the accounts.
  void write(const usage_rows& used, const std::vector<account_state>& learned);

  /// Drops what is older.
  void prune(const retention& keep, wall_time now);

  /// Sums since a moment, by the finest figures that reach back so far; the largest in tokens first, times in order.
  std::vector<usage_sum> usage(std::int64_t since, grouping by);

 private:
  std::int64_t integer_of(const char* query);
  std::int64_t schema_found();
  void migrate();
  void add_usage(const usage_rows& used);
  void replace_learned(const account_state& of);
  std::int64_t span_since(std::int64_t since);

  std::unique_ptr<database> db_;
};

}  // namespace cooldown::state
