#include "effnet/search/study/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"

namespace effnet::search {
namespace {

namespace fs = std::filesystem;

// Pauses between two attempts to get a lock: 1 ms, 2 ms, ... 64 ms, 0.1 s, 0.1 s, ...
constexpr double kFirstPause_s = 0.001, kLongestPause_s = 0.1;
constexpr int kLongestDoublings = 7;

struct CloseConnection {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close(connection); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
// Ends the use of a cached statement, also after an exception: an open statement would hold its lock.
struct Reset {
  void operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
};

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  double number(int column) const override { return sqlite3_column_double(statement_, column); }
  std::string text(int column) const override {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return bytes == nullptr ? std::string()
                            : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3_stmt* statement_;
};

int bind(sqlite3_stmt* statement, int place, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, place, *integer);
  if (const auto* number = std::get_if<double>(&value)) return sqlite3_bind_double(statement, place, *number);
  const std::string& text = std::get<std::string>(value);
  return sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

enum class Open { existing, created };

class Sqlite final : public Database {
 public:
  // `name`: the path for messages.
  Sqlite(const fs::path& file, std::string name, Open open, const WaitOptions& waiting)
      : Database(file.string(), std::move(name), waiting) {
    const int create = open == Open::created ? SQLITE_OPEN_CREATE : 0;
    sqlite3* connection = nullptr;
    // The path is absolute because SQLite gives names such as ":memory:" and "file:x" another meaning.
    const int code = sqlite3_open_v2(fs::absolute(file).c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, nullptr);
    connection_.reset(connection);  // also after an error
    if (code != SQLITE_OK) fail(code);
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_handler(
        connection, [](void* self, int count) { return static_cast<Sqlite*>(self)->wait_for_lock(count) ? 1 : 0; },
        this);
    if (sqlite3_db_readonly(connection, "main") == 1) fail(SQLITE_READONLY);
    // In WAL mode readers do not wait for a writer. The mode is stored in the file, so a file that may be no study is
    // not changed.
    if (open == Open::created) run("PRAGMA journal_mode = WAL");
  }

  std::int64_t run(std::string_view sql, const std::vector<Value>& values = {}, const EachRow& each_row = {}) override {
    const std::unique_ptr<sqlite3_stmt, Reset> statement(prepared(sql));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (const int code = bind(statement.get(), static_cast<int>(i) + 1, values[i]); code != SQLITE_OK) fail(code);
    }
    const SqliteRow row(statement.get());
    int code = sqlite3_step(statement.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(statement.get())) {
      if (each_row) each_row(row);
    }
    if (code != SQLITE_DONE) fail(code);
    return sqlite3_stmt_readonly(statement.get()) != 0 ? 0 : sqlite3_changes(connection_.get());
  }

  bool has_table(std::string_view table) override {
    bool found = false;
    run("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", {std::string(table)},
        [&](const Row&) { found = true; });
    return found;
  }

  void begin_write(Sync sync) override {
    // In WAL mode NORMAL leaves the sync to a later transaction or checkpoint; the file is valid after a power cut.
    run(sync == Sync::at_commit ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    run("BEGIN IMMEDIATE");
  }
  void commit() override { run("COMMIT"); }
  void roll_back() noexcept override {
    if (sqlite3_get_autocommit(connection_.get()) != 0) return;  // SQLite undoes some failed transactions itself
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }

 private:
  // The statements are kept, because preparing one takes longer than running it.
  sqlite3_stmt* prepared(std::string_view sql) {
    if (const auto found = statements_.find(sql); found != statements_.end()) return found->second.get();
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) fail(code);
    return statements_.emplace(sql, statement).first->second.get();
  }

  // SQLite calls this when another process holds the lock, `count` times so far for this lock. False: give up.
  bool wait_for_lock(int count) noexcept {
    if (count == 0) waited_s_ = 0;
    const double pause = std::min(
        {std::ldexp(kFirstPause_s, std::min(count, kLongestDoublings)), kLongestPause_s, waiting().lock_s - waited_s_});
    if (pause <= 0) return false;
    try {
      waiting().sleep(pause);
    } catch (...) {  // a signal; an exception must not pass through SQLite
      interrupted_ = std::current_exception();
      return false;
    }
    waited_s_ += pause;
    return true;
  }

  // Throws the error of an SQLite result code.
  [[noreturn]] void fail(int code) {
    if (interrupted_) std::rethrow_exception(std::exchange(interrupted_, nullptr));
    const std::string why = connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_.get());
    switch (code & 0xFF) {
      case SQLITE_NOTADB:
      case SQLITE_CORRUPT:
        throw input_error("{}: not a study ({})", name(), why);
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        throw environment_error("{}: locked by another process (waited {:g} s, got: {})", name(), waited_s_, why)
            .with_hint("wait for the other process, or stop it");
      case SQLITE_READONLY:
      case SQLITE_CANTOPEN:
      case SQLITE_PERM:
        throw environment_error("{}: cannot write ({})", name(), code == SQLITE_READONLY ? sqlite3_errstr(code) : why)
            .with_hint("the file and its folder must be writable: SQLite keeps two more files beside the study");
      case SQLITE_FULL:
      case SQLITE_IOERR:
        throw environment_error("{}: cannot write ({})", name(), why);
      default:
        throw internal_error("{}: SQLite error {} ({})", name(), code, why);
    }
  }

  std::unique_ptr<sqlite3, CloseConnection> connection_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;  // finalised first
  double waited_s_ = 0;                                                                     // for the present lock
  std::exception_ptr interrupted_;  // thrown by the sleep function
};

Error exists_error(const std::string& file) {
  return usage_error("{}: the file exists (expected a new path)", file)
      .with_hint("a study is never overwritten: use another path, or continue the study");
}

// Gives the complete file its final name. Throws Error(usage) if a file with this name has appeared. A link does not
// replace a file; a file system without links can rename without replacing.
void publish(const fs::path& complete, const std::string& file) {
  if (::link(complete.c_str(), file.c_str()) == 0) return;
  if (errno != EEXIST && ::renameat2(AT_FDCWD, complete.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST) throw exists_error(file);
  throw environment_error("{}: cannot write ({})", file, std::generic_category().message(errno));
}

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& file, const WaitOptions& waiting) {
  // The file must not be opened here to look into it: closing it would release the locks of all other connections of
  // this process (POSIX).
  std::error_code failed;
  const fs::file_status status = fs::status(file, failed);
  if (status.type() == fs::file_type::not_found) {
    std::error_code ignored;
    if (const fs::path target = fs::read_symlink(file, ignored); !target.empty()) {
      throw input_error("{}: no such study (got a link to {}, which is missing, expected a file that effnet has made)",
                        file, in_quotes(target.string()))
          .with_hint("remove the link, or put the study back where it points to");
    }
    throw input_error("{}: no such study (expected a file that effnet has made)", file);
  }
  if (!failed && status.type() != fs::file_type::regular)
    throw input_error("{}: not a study (got a folder or a special file, expected a file that effnet has made)", file);
  return std::make_unique<Sqlite>(file, file, Open::existing, waiting);
}

void create_sqlite(const std::string& file, const Fill& fill, const WaitOptions& waiting) {
  if (sqlite_file_exists(file, {})) throw exists_error(file);
  const fs::path parent = fs::path(file).parent_path();
  const TemporaryFolder folder(parent.empty() ? fs::path(".") : parent);
  const fs::path complete = folder.path() / "study";
  {
    Sqlite database(complete, file, Open::created, waiting);
    Transaction transaction(database);
    fill(database);
    transaction.commit();
  }  // the last connection moves the log into the file
  publish(complete, file);
}

bool sqlite_file_exists(const std::string& file, std::string_view /*table*/) {
  std::error_code ignored;
  return fs::symlink_status(file, ignored).type() != fs::file_type::not_found;
}

}  // namespace effnet::search
