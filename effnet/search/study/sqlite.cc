#include "effnet/search/study/sqlite.h"

#include <sqlite3.h>

#include "effnet/base/error.h"

namespace effnet::search {

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  check(sqlite3_prepare_v2(database.connection_, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr));
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::check(int code) const {
  if (code != SQLITE_OK) database_.fail(code);
}

Statement& Statement::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::bind(double value) {
  check(sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::bind(std::string_view value) {
  check(sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT));
  return *this;
}

bool Statement::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  const int reset = sqlite3_reset(statement_);  // returns the error of the step
  bound_ = 0;
  if (code != SQLITE_DONE) database_.fail(reset != SQLITE_OK ? reset : code);
  return false;
}

void Statement::run() {
  while (next()) {
  }
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::number(int column) const { return sqlite3_column_double(statement_, column); }

std::string Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return bytes == nullptr ? std::string()
                          : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Database::Database(std::filesystem::path file, Open open, double wait_s) : file_(std::move(file)) {
  std::error_code ignored;
  const bool exists = std::filesystem::exists(file_, ignored);
  if (open == Open::existing && !exists)
    throw input_error("{}: no such study (expected a file that effnet has made)", file_.string());
  if (open == Open::create && exists)
    throw usage_error("{}: the file exists (expected a new path)", file_.string())
        .with_hint("a study is never overwritten: use another path, or continue the study");
  const int create = open == Open::create ? SQLITE_OPEN_CREATE : 0;
  const int code =
      sqlite3_open_v2(file_.c_str(), &connection_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, nullptr);
  try {
    if (code != SQLITE_OK) fail(code);
    sqlite3_busy_timeout(connection_, static_cast<int>(wait_s * 1000));
    sqlite3_extended_result_codes(connection_, 1);
    // In WAL mode readers do not wait for a writer. The mode is stored in the file, so a file that may be no study is
    // not changed. FULL syncs at each commit: a power cut loses no finished trial.
    if (open == Open::create) run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
  } catch (...) {
    sqlite3_close(connection_);
    throw;
  }
}

Database::~Database() { sqlite3_close(connection_); }

void Database::run(std::string_view sql) { Statement(*this, sql).run(); }

std::int64_t Database::changed_rows() const { return sqlite3_changes(connection_); }

void Database::fail(int code) const {
  const std::string why = connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_);
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      throw input_error("{}: not a study ({})", file_.string(), why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw environment_error("{}: locked by another process ({})", file_.string(), why)
          .with_hint("wait for the other process, or stop it");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      throw environment_error("{}: cannot write ({})", file_.string(), why)
          .with_hint("the folder must be writable too: SQLite keeps two more files beside the study");
    case SQLITE_FULL:
    case SQLITE_IOERR:
      throw environment_error("{}: cannot write ({})", file_.string(), why);
    default:
      throw internal_error("{}: SQLite error {} ({})", file_.string(), code, why);
  }
}

Transaction::Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const Error&) {  // after some errors SQLite has rolled back itself
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace effnet::search
