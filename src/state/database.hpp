// SQLite in the terms of this layer: errors are store_error, handles are freed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <sqlite3.h>

#include "cooldown/state/store.hpp"

namespace cooldown::state {

class database {
 public:
  /// For writing, the file is created if need be, readable by its owner alone. Throws store_error; so do all others.
  database(std::string file, store::access how);

  const std::string& file() const { return file_; }

  /// One or more statements without values or rows.
  void run(const std::string& sql);
  /// Undoes what BEGIN began, if anything.
  void roll_back() noexcept;

  /// Throws what a result code other than SQLITE_OK means.
  void check(int code) const;
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct closer {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };

  std::string file_;
  std::unique_ptr<sqlite3, closer> handle_;
};

/// A prepared statement: values are bound in order, then rows are read.
class statement {
 public:
  statement(const database& of, const std::string& sql);
  ~statement() { sqlite3_finalize(made_); }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  statement& bind(std::int64_t value);
  statement& bind(double value);
  /// `text` lives until the next call of step().
  statement& bind(const std::string& text);

  /// True: there is a row.
  bool step();
  /// Performs it, and is ready for other values.
  void perform();

  std::int64_t integer(int column) const { return sqlite3_column_int64(made_, column); }
  double number(int column) const { return sqlite3_column_double(made_, column); }
  std::string text(int column) const;

 private:
  const database& of_;
  sqlite3_stmt* made_ = nullptr;
  int bound_ = 0;
};

}  // namespace cooldown::state
