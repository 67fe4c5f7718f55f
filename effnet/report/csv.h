// Reads the CSV files of a run folder row by row, and writes their fields. All error messages contain the line number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/lines.h"

namespace effnet::report {

// Ignores a last row that has no line end (run_folder.h gives the reason).
class CsvReader {
 public:
  // `text` must outlive the reader. Messages begin with `source`. The first row must begin with the fields of `header`;
  // all other rows must have as many fields as the first.
  CsvReader(std::string_view text, std::string_view source, std::string_view header);

  // The column of an optional field; empty if the header has no such field.
  std::optional<std::size_t> find_column(std::string_view name) const;
  bool next();  // reads a row; returns false at the end
  // Fields of the current row; columns count from 0. Errors contain the line number and the column's name.
  const std::string& field(std::size_t column) const { return rows_.fields()[column]; }
  std::int64_t integer(std::size_t column, std::int64_t low, std::int64_t high) const;
  double number(std::size_t column) const;                          // "nan" and "inf" are valid
  std::optional<double> optional_number(std::size_t column) const;  // an empty field gives an empty optional
  float probability(std::size_t column) const;                      // 0..1 (plus rounding errors) or nan

 private:
  bool read_row();
  Error error(std::string_view message) const;
  Error bad_field(std::size_t column, std::string_view expected) const;

  CsvRows rows_;
  std::vector<std::string> names_;
};

using effnet::csv_field;

// The shortest decimal that parses to the same number. NaN is written without a sign, so that equal runs write equal
// files.
std::string shortest(float value);
std::string shortest(double value);

}  // namespace effnet::report
