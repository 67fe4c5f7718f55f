// Reading the CSV files of a run folder line by line, with the line's number in every error.
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

// A last row without its end is dropped (see run_folder.h).
class CsvReader {
 public:
  // `text` outlives the reader. `source` begins the messages. The first row must begin with `header`, a line without
  // its end; every further row must have as many fields as the first.
  CsvReader(std::string_view text, std::string_view source, std::string_view header);

  bool next();  // reads a row; false at the end
  // Of the current row, counted from 0. Errors name the line and the column.
  const std::string& field(std::size_t column) const { return rows_.fields()[column]; }
  std::int64_t integer(std::size_t column, std::int64_t low, std::int64_t high) const;
  double number(std::size_t column) const;                       // "nan" and "inf" are numbers
  std::optional<double> maybe_number(std::size_t column) const;  // empty field: none
  float probability(std::size_t column) const;                   // 0..1 (a rounding more is let pass), or nan

 private:
  bool read_row();
  Error error(std::string_view message) const;
  Error bad_field(std::size_t column, std::string_view expected) const;

  CsvRows rows_;
  std::vector<std::string> names_;
};

using effnet::csv_field;

}  // namespace effnet::report
