#include "effnet/search/study/sqlite.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/search/study/sqlite_failure.h"

namespace effnet::search {
namespace {

namespace fs = std::filesystem;

// Pauses between two attempts to get a lock: 1 ms, 2 ms, ... 64 ms, 0.1 s, 0.1 s, ...
constexpr double kFirstPause_s = 0.001, kLongestPause_s = 0.1;
constexpr int kLongestDoublings = 7;
// How long a reader without permission to write waits for the log and its index: a process that begins or ends its use
// of the study has only one of these files for some milliseconds.
constexpr double kLogWait_s = 1;

// The files that SQLite keeps beside a database: the log, its index, and the journal that it uses instead of a log.
constexpr std::array<const char*, 3> kBeside{"-wal", "-shm", "-journal"};

double pause_s(int count, double left_s) {
  return std::min({std::ldexp(kFirstPause_s, std::min(count, kLongestDoublings)), kLongestPause_s, left_s});
}

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

// SQLite stores any type of value in any column. So another type than that of effnet's tables means a damaged study.
class SqliteRow final : public Row {
 public:
  SqliteRow(sqlite3_stmt* statement, const std::string& study) : statement_(statement), study_(study) {}
  std::int64_t integer(int column) const override {
    if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER) fail(column, "a whole number");
    return sqlite3_column_int64(statement_, column);
  }
  double number(int column) const override {
    const int type = sqlite3_column_type(statement_, column);
    if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) fail(column, "a number");
    return sqlite3_column_double(statement_, column);
  }
  std::string text(int column) const override {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return bytes == nullptr ? std::string()
                            : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  [[noreturn]] void fail(int column, const char* expected) const {
    const bool missing = sqlite3_column_type(statement_, column) == SQLITE_NULL;
    throw input_error("{}: a damaged study (got {} in the column {}, expected {})", study_,
                      missing ? "nothing" : in_quotes(text(column)), sqlite3_column_name(statement_, column), expected);
  }

  sqlite3_stmt* statement_;
  const std::string& study_;  // its name, for messages
};

int bind(sqlite3_stmt* statement, int place, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, place, *integer);
  if (const auto* number = std::get_if<double>(&value)) return sqlite3_bind_double(statement, place, *number);
  const std::string& text = std::get<std::string>(value);
  return sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

// What tells whether a path still leads to the same file.
struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t bytes = 0;
};

std::optional<FileState> find_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileState{.device = status.st_dev, .inode = status.st_ino, .bytes = status.st_size};
}

bool is_same_file(const FileState& a, const FileState& b) { return a.device == b.device && a.inode == b.inode; }

// The URI that opens a file as immutable: SQLite reads only this file, and uses no lock.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file://";
  for (const char c : path) {
    const bool has_meaning = c == '%' || c == '?' || c == '#';
    uri += has_meaning ? fmt::format("%{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return uri + "?immutable=1";
}

enum class Open { existing, created, for_reading };

class Sqlite final : public Database {
 public:
  // `name`: the path for messages.
  Sqlite(const fs::path& file, std::string name, Open open, const WaitOptions& waiting)
      : Database(file.string(), std::move(name), waiting), path_(fs::absolute(file).string()), open_(open) {
    // The path is absolute because SQLite gives names such as ":memory:" and "file:x" another meaning.
    connect(path_, SQLITE_OPEN_READWRITE | (open == Open::created ? SQLITE_OPEN_CREATE : 0));
    file_ = find_file(path_);
    log_path_ =
        sqlite3_filename_wal(sqlite3_db_filename(connection_.get(), "main"));  // of the file that a link leads to
    const bool writable = sqlite3_db_readonly(connection_.get(), "main") == 0;
    if (open == Open::for_reading) {
      prepare_reading(writable);
    } else if (!writable) {
      fail(SQLITE_READONLY);
    }
    // In WAL mode readers do not wait for a writer. The mode is stored in the file, so a file that may be no study is
    // not changed.
    if (open == Open::created) run("PRAGMA journal_mode = WAL");
  }

  std::int64_t run(std::string_view sql, const std::vector<Value>& values = {}, const EachRow& each_row = {}) override {
    const std::unique_ptr<sqlite3_stmt, Reset> statement(prepared(sql));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (const int code = bind(statement.get(), static_cast<int>(i) + 1, values[i]); code != SQLITE_OK) fail(code);
    }
    const SqliteRow row(statement.get(), name());
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
  void commit() override {
    run("COMMIT");
    check_place();
  }
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
    const double pause = pause_s(count, waiting().lock_s - waited_s_);
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

  void connect(const std::string& path_or_uri, int flags) {
    connection_.reset();
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(path_or_uri.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    connection_.reset(connection);  // also after an error
    if (code != SQLITE_OK) fail(code);
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_handler(
        connection, [](void* self, int count) { return static_cast<Sqlite*>(self)->wait_for_lock(count) ? 1 : 0; },
        this);
  }

  // To read a file in WAL mode SQLite uses two files beside it, the log (-wal) and its index (-shm), and makes them if
  // they are missing. Without permission to make them, it can open the file only as immutable, and then it does not
  // read the log. So the log must be missing or empty: otherwise the last results are in it.
  // A file that cannot be written is not read in the usual way, even if its folder can be written: the two files would
  // stay there, and they would belong to this user.
  void prepare_reading(bool writable) {
    double left_s = std::min(kLogWait_s, waiting().lock_s);
    for (int count = 0;; ++count) {
      const std::optional<FileState> log = find_file(log_path_);
      const bool has_log = log && log->bytes > 0;
      if ((writable || has_log) && can_read()) return;
      if (!has_log) break;
      const double pause = pause_s(count, left_s);
      if (pause <= 0) fail_log();
      waiting().sleep(pause);
      left_s -= pause;
      connect(path_, SQLITE_OPEN_READWRITE);  // a connection keeps the index that it has found first
    }
    connect(immutable_uri(path_), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  }

  [[noreturn]] void fail_log() const {
    throw environment_error("{}: cannot read without permission to write (got the log {}, expected none)", name(),
                            log_path_)
        .with_hint(
            "the log has the last results: run the command as a user who may write the file and its folder, or copy "
            "both files to a folder of your own");
  }

  // False if the first statement fails for lack of a permission.
  bool can_read() {
    const int code = sqlite3_exec(connection_.get(), "SELECT 1 FROM sqlite_master LIMIT 1", nullptr, nullptr, nullptr);
    const int primary = code & 0xFF;
    return primary != SQLITE_READONLY && primary != SQLITE_CANTOPEN && primary != SQLITE_PERM;
  }

  // Throws if the path does not lead to the open file any more, or if the file is shorter than before: what was written
  // since then is lost. SQLite does not notice that in WAL mode, and a worker would go on until the search has ended.
  // The same holds for the log, which exists as long as a process uses it. effnet never makes a study shorter (VACUUM).
  void check_place() {
    const std::optional<FileState> file = find_file(path_), log = find_file(log_path_);
    int moved = 0;  // also if the file was replaced between open() and stat()
    sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    const std::string_view same = "the one that it has opened";
    if (!file) fail_lost("the file was deleted", "no file", same);
    if (moved != 0 || !file_ || !is_same_file(*file, *file_)) fail_lost("the file was replaced", "another file", same);
    if (file->bytes < file_->bytes) {
      fail_lost("the file was truncated", fmt::format("{} bytes", file->bytes),
                fmt::format("at least {}", file_->bytes));
    }
    if (log_ && !log) fail_lost("the log beside it was deleted", "no " + log_path_, same);
    if (log_ && !is_same_file(*log, *log_)) fail_lost("the log beside it was replaced", "another " + log_path_, same);
    file_ = file;
    log_ = log;
  }

  [[noreturn]] void fail_lost(std::string_view what, std::string_view found, std::string_view expected) const {
    throw environment_error("{}: {} while this process used it (got {}, expected {}); results since then may be lost",
                            name(), what, found, expected)
        .with_hint(
            fmt::format("if the file was moved, put it back beside its log {}; before another copy is put there, move "
                        "the log and {} away, since SQLite would apply them to the copy. Then start the command again",
                        path_in_shell(log_path_), path_in_shell(index_path())));
  }

  // Throws the error of an SQLite result code.
  [[noreturn]] void fail(int code) {
    if (interrupted_) std::rethrow_exception(std::exchange(interrupted_, nullptr));
    const std::string why = connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_.get());
    if (const int primary = code & 0xFF; primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
      throw environment_error("{}: locked by another process (waited {:g} s, got: {})", name(), waited_s_, why)
          .with_hint("wait for the other process, or stop it");
    }
    const SqliteFailure* failure = find_sqlite_failure(code);
    if (failure == nullptr) throw internal_error("{}: SQLite error {} ({})", name(), code, why);
    if (file_ && failure->error == ErrorCode::input) check_place();  // a file that was replaced looks damaged
    if (open_ == Open::for_reading && failure->error == ErrorCode::environment)
      throw environment_error("{}: cannot read ({})", name(), why);
    throw Error(failure->error,
                fmt::format("{}: {} ({})", name(), failure->what, code == SQLITE_READONLY ? sqlite3_errstr(code) : why),
                failure->hint);
  }

  // Of the log's index, which is beside the log.
  std::string index_path() const { return log_path_.substr(0, log_path_.size() - 4) + "-shm"; }

  const std::string path_;  // absolute
  const Open open_;
  std::string log_path_;                 // of SQLite's log: the path of the file, with "-wal"
  std::optional<FileState> file_, log_;  // at the last look
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

bool path_exists(const std::string& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

// SQLite applies a log to any file of its name, and does not notice that the log belongs to another one. So a new study
// must not be made beside a log that was left.
void check_nothing_beside(const std::string& file) {
  std::vector<std::string> found;
  for (const char* suffix : kBeside) {
    if (path_exists(file + suffix)) found.push_back(path_in_shell(file + suffix));
  }
  if (found.empty()) return;
  if (path_exists(file)) throw exists_error(file);  // another process has made the study meanwhile, and uses it
  throw usage_error("{}: files of an earlier study are beside it (got {}, expected none)", file, fmt::join(found, ", "))
      .with_hint(fmt::format("they may have its last results: use another name for the new study, put the earlier one "
                             "back to {} to continue it, or give these files up: rm {}",
                             path_in_shell(file), fmt::join(found, " ")));
}

// SQLite takes an empty file for a new database, and removes the log beside it.
void check_not_emptied(const std::string& file) {
  std::error_code failed;
  if (fs::file_size(file, failed) != 0 || failed) return;
  const std::string log = fs::canonical(file, failed).string() + "-wal";
  const std::optional<FileState> state = find_file(log);
  if (failed || !state || state->bytes == 0) return;
  throw input_error("{}: an empty file beside a log (got 0 bytes, and {} bytes in {}, expected a study)", file,
                    state->bytes, log)
      .with_hint(fmt::format("the log has only the last changes of the study that was here: move it away (mv {0} "
                             "{0}.old), then put a copy of the study there; without a copy the study is lost",
                             path_in_shell(log)));
}

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& file, const WaitOptions& waiting, Access access) {
  // The file must not be opened here to look into it: closing it would release the locks of all other connections of
  // this process (POSIX).
  std::error_code failed;
  const fs::file_status status = fs::status(file, failed);
  if (status.type() == fs::file_type::not_found) {
    std::error_code ignored;
    if (const fs::path target = fs::read_symlink(file, ignored); !target.empty()) {
      throw input_error("{}: no such study (got a link to {}, which is missing, expected a file that effnet has made)",
                        file, in_quotes(target.string()))
          .with_hint("remove the link, or put the study back where it points to, with its log (-wal) if it has one");
    }
    throw input_error("{}: no such study (expected a file that effnet has made)", file);
  }
  if (!failed && status.type() != fs::file_type::regular)
    throw input_error("{}: not a study (got a folder or a special file, expected a file that effnet has made)", file);
  check_not_emptied(file);
  return std::make_unique<Sqlite>(file, file, access == Access::read ? Open::for_reading : Open::existing, waiting);
}

void create_sqlite(const std::string& file, const Fill& fill, const WaitOptions& waiting) {
  if (path_exists(file)) throw exists_error(file);
  check_nothing_beside(file);
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

bool is_sqlite_file(const std::string& file) {
  constexpr std::string_view kBegin = "SQLite format 3";
  try {
    const OpenFile opened(file);
    std::array<char, kBegin.size()> begin{};
    return opened.is_regular() && opened.read_at(std::as_writable_bytes(std::span(begin)), 0) == begin.size() &&
           std::string_view(begin.data(), begin.size()) == kBegin;
  } catch (const Error&) {
    return false;
  }
}

bool is_beside_sqlite_file(const std::string& file) {
  return std::ranges::any_of(kBeside, [&](std::string_view suffix) {
    return file.ends_with(suffix) && is_sqlite_file(file.substr(0, file.size() - suffix.size()));
  });
}

bool sqlite_file_exists(const std::string& file, std::string_view /*table*/) { return path_exists(file); }

}  // namespace effnet::search
