#include "database.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

namespace cooldown::state {
namespace {

// Another process may be writing: a backup, or a second proxy with the same file.
constexpr int busy_milliseconds = 2'000;

/// Says why it cannot be used, which SQLite does not; makes it with its mode, before SQLite makes it readable by
/// others.
void prepare(const std::string& file, bool writes) {
  int const fd = open(file.c_str(), (writes ? O_CREAT | O_RDWR : O_RDONLY) | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) throw store_error(file + ": " + std::strerror(errno));
  struct stat found {};
  bool const regular = fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
  close(fd);
  if (!regular) throw store_error(file + ": is no regular file");
}

constexpr int primary = 0xff;  // of a result code; the rest are details

}  // namespace

database::database(std::string file, store::access how) : file_(std::move(file)) {
  bool const writes = how == store::access::write;
  prepare(file_, writes);
  sqlite3* opened = nullptr;
  int const flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  int const code = sqlite3_open_v2(file_.c_str(), &opened, flags, nullptr);
  handle_.reset(opened);
  check(code);
  sqlite3_busy_timeout(opened, busy_milliseconds);
}

void database::run(const std::string& sql) {
  check(sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr));
}

void database::roll_back() noexcept {
  sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void database::check(int code) const {
  if (code == SQLITE_OK) return;
  auto const text = file_ + ": " + (handle() ? sqlite3_errmsg(handle()) : sqlite3_errstr(code));
  if ((code & primary) == SQLITE_CORRUPT) throw damaged(text);
  // It may be anything, even the configuration: whoever named it has to decide.
  if ((code & primary) == SQLITE_NOTADB) throw store_error(text + "; it is left alone: name another one");
  throw store_error(text);
}

statement::statement(const database& of, const std::string& sql) : of_(of) {
  of_.check(sqlite3_prepare_v2(of_.handle(), sql.c_str(), static_cast<int>(sql.size()), &made_, nullptr));
}

statement& statement::bind(std::int64_t value) {
  of_.check(sqlite3_bind_int64(made_, ++bound_, value));
  return *this;
}

statement& statement::bind(double value) {
  of_.check(sqlite3_bind_double(made_, ++bound_, value));
  return *this;
}

statement& statement::bind(const std::string& text) {
  of_.check(sqlite3_bind_text(made_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
  return *this;
}

bool statement::step() {
  int const code = sqlite3_step(made_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) of_.check(code);
  return false;
}

void statement::perform() {
  step();
  of_.check(sqlite3_reset(made_));
  bound_ = 0;
}

std::string statement::text(int column) const {
  auto const* const bytes = sqlite3_column_text(made_, column);
  auto const size = static_cast<std::size_t>(sqlite3_column_bytes(made_, column));
  return bytes ? std::string(reinterpret_cast<const char*>(bytes), size) : std::string();
}

}  // namespace cooldown::state
