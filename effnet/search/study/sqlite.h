// SQLite for studies: a connection, statements and transactions. Errors become effnet errors with the file's name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace effnet::search {

class Database;

// A prepared statement. Values are bound in the order of the question marks, from 1.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(std::string_view value);

  // Goes to the next row. Returns false after the last one; the statement can then be bound again.
  bool next();
  void run();  // of a statement without rows

  // Columns of the row count from 0.
  std::int64_t integer(int column) const;
  double number(int column) const;
  std::string text(int column) const;

 private:
  void check(int code) const;

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

// A connection to a database file. One thread may use it at a time.
class Database {
 public:
  enum class Open { existing, create };
  // Waits up to `wait_s` for locks of other processes. Throws Error(input) if the file is missing or is no database,
  // Error(environment) if it cannot be opened or written, Error(usage) if it exists and `open` is create.
  Database(std::filesystem::path file, Open open, double wait_s = 30);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(std::string_view sql);
  std::int64_t changed_rows() const;  // by the last statement
  const std::filesystem::path& file() const { return file_; }
  [[noreturn]] void fail(int code) const;  // throws the error of an SQLite result code

 private:
  friend class Statement;
  std::filesystem::path file_;
  sqlite3* connection_ = nullptr;
};

// A transaction that may write. BEGIN IMMEDIATE takes the write lock at once: a transaction that first reads could be
// refused when it begins to write. Without commit() the changes are undone.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace effnet::search
