// Reads TOML and checks it: a key is known if a function below has read it. finish() throws for unknown keys, with
// line, column and the nearest known key. toml++ is included only in the .cc: its header takes 7 s to compile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {

class TomlTable {
 public:
  // Messages begin with `source` (a path): "arch.toml:12:3: ...". Throws Error(input) for a syntax error, or if the
  // text has more than 1 MiB.
  static TomlTable parse(std::string_view text, std::string_view source);

  bool has(std::string_view key) const;

  // The value, or `otherwise` if the key is absent. Without `otherwise` the key is required. All throw Error(input)
  // with line and column for a value of another type or outside [low, high].
  std::string text(std::string_view key, std::optional<std::string> otherwise = {}) const;
  // A required text that can be printed: not empty, without control characters.
  std::string name(std::string_view key) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::int64_t integer(std::string_view key, std::optional<std::int64_t> otherwise, std::int64_t low,
                       std::int64_t high) const;
  double number(std::string_view key, std::optional<double> otherwise, double low, double high) const;
  // Lists of one type; empty if the key is absent.
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<bool> booleans(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key, std::int64_t low, std::int64_t high) const;
  std::vector<double> numbers(std::string_view key, double low, double high) const;
  bool is_table(std::string_view key) const;                  // for a key whose value may have several types
  TomlTable table(std::string_view key) const;                // an empty table if absent
  std::vector<TomlTable> tables(std::string_view key) const;  // an array of tables; empty if absent

  // Returns an error about the value of this key, which the table has: "SOURCE:LINE:COLUMN: KEY: message".
  Error error(std::string_view key, std::string_view message) const;
  // The same with the message and the hint of another error: a value that a function does not accept.
  Error error(std::string_view key, const Error& cause) const;
  // Returns an error that says that this key is missing, or the name of the key that it probably was meant to be.
  Error missing(std::string_view key, std::string_view expected) const;
  // Throws Error(input) for the first key of this table that has not been read.
  void finish() const;

 private:
  struct Impl;
  explicit TomlTable(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

// The value in TOML syntax: a float always has a point or an exponent, a text is quoted and escaped.
std::string toml_value(double number);
std::string toml_value(std::string_view text);

}  // namespace effnet
