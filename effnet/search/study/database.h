// SQL databases for studies: one interface, with a driver for SQLite files (sqlite.cc) and one for PostgreSQL servers
// (postgres.cc).
//
// A statement must be valid for both. In it `$1, $2, ...` stand for values; each is used once, in this order. Types of
// columns: INTEGER (32 bits or more), BIGINT, DOUBLE PRECISION and TEXT. A text has no NUL and, for PostgreSQL, is
// UTF-8.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"

namespace effnet::search {

using Value = std::variant<std::int64_t, double, std::string>;

// One row of a result. Columns count from 0.
class Row {
 public:
  virtual ~Row() = default;
  virtual std::int64_t integer(int column) const = 0;
  virtual double number(int column) const = 0;
  virtual std::string text(int column) const = 0;
};
using EachRow = std::function<void(const Row&)>;

// How long a database is waited for.
struct WaitOptions {
  double lock_s = 30;      // until another process releases its lock
  int reconnections = 60;  // attempts to restore a lost connection
  double reconnect_s = 1;  // the time before each attempt
  std::function<void(double seconds)> sleep = interruptible_sleep;
};

// The connection to the server was lost. What the transaction has changed may be stored or not.
class ConnectionLost : public Error {
 public:
  ConnectionLost(std::string_view name, std::string_view why)
      : Error(ErrorCode::environment, fmt::format("the connection to {} was lost ({})", name, why)) {}
};

// What a power cut may undo.
enum class Sync {
  at_commit,  // nothing that was committed
  later,      // the last transactions, if they are all of this kind; a file is then written about 10 ms faster
};

// What a connection is for.
enum class Access {
  write,
  read,  // needs no permission to write. Only for statements that change nothing
};

// A connection to a database. One thread may use it at a time.
class Database {
 public:
  Database(std::string where, std::string name, WaitOptions waiting)
      : where_(std::move(where)), name_(std::move(name)), waiting_(std::move(waiting)) {}
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& where() const { return where_; }  // as given; may contain a password
  const std::string& name() const { return name_; }    // for messages; without a password

  // Runs one statement and calls `each_row`, which must not use the database, for each row of its result. Returns how
  // many rows were inserted or changed. Throws ConnectionLost, Error(environment) if the database cannot be written or
  // another process holds its lock for too long, and Error(input) if the tables are not those of a study or are
  // damaged.
  virtual std::int64_t run(std::string_view sql, const std::vector<Value>& values = {},
                           const EachRow& each_row = {}) = 0;
  virtual bool has_table(std::string_view table) = 0;

  // Use Transaction. begin_write() waits until no other connection has such a transaction. A server always syncs,
  // because its clients do not end with it.
  virtual void begin_write(Sync sync) = 0;
  // Throws Error(environment) also if a file was deleted, replaced or truncated since it was opened.
  virtual void commit() = 0;
  virtual void roll_back() noexcept = 0;

  // Connects to the server again. Throws ConnectionLost. Does nothing for a file.
  virtual void reconnect() {}

  // Returns body(). If the connection is lost meanwhile, connects again and repeats all of `body`. So `body` must
  // contain whole transactions, and must give the same result if an earlier call has stored its changes although the
  // server's answer was lost. Throws Error(environment) after the last attempt.
  template <class Body>
  auto retry(const Body& body) -> decltype(body()) {
    for (int lost = 0;; ++lost) {
      try {
        if (lost > 0) reconnect();
        return body();
      } catch (const ConnectionLost& error) {
        wait_to_reconnect(lost, error);
      }
    }
  }

 protected:
  const WaitOptions& waiting() const { return waiting_; }

 private:
  void wait_to_reconnect(int lost, const ConnectionLost& error) const;

  std::string where_, name_;
  WaitOptions waiting_;
};

// A transaction that may write. It takes the write lock when it begins: a transaction that first reads could be refused
// when it begins to write. Without commit() the changes are undone.
class Transaction {
 public:
  explicit Transaction(Database& database, Sync sync = Sync::at_commit) : database_(database) {
    database_.begin_write(sync);
  }
  ~Transaction() {
    if (open_) database_.roll_back();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    database_.commit();
    open_ = false;
  }

 private:
  Database& database_;
  bool open_ = true;
};

// `where`: the URL of a PostgreSQL database (postgres.h), or else the path of an SQLite file (sqlite.h).
bool is_server(std::string_view where);
std::string name_of(const std::string& where);  // as Database::name(). Throws Error(usage) for a wrong URL

// Throws Error(input) if the file is missing, and Error(environment) if it cannot be opened for this access or the
// server refuses the connection. A file that is no database is an Error(input) of the first statement.
std::unique_ptr<Database> open_database(const std::string& where, const WaitOptions& waiting = {},
                                        Access access = Access::write);

// Makes a database in which `fill`, called in a transaction, makes the tables. If it throws, nothing is left. Throws
// Error(usage) if the file exists, also if it appears meanwhile. On a server the database exists; `fill` has to check
// that the tables do not.
using Fill = std::function<void(Database&)>;
void create_database(const std::string& where, const Fill& fill, const WaitOptions& waiting = {});

// Whether the file exists, or the server's database has the table.
bool database_exists(const std::string& where, std::string_view table);

}  // namespace effnet::search
