// Reading CSV (RFC 4180) line by line, with the line's number in every error. The reader is for effnet/report alone;
// who writes CSV elsewhere takes csv_field().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::report {

// A text between quotes may hold commas, line ends and doubled quotes. Rows end in "\n" or "\r\n"; a last row without
// its end is dropped (see run_folder.h). Empty lines are rows of one empty field.
class CsvReader {
 public:
  // `text` outlives the reader. `source` begins the messages. The first row must begin with `header`, a line without
  // its end; every further row must have as many fields as the first.
  CsvReader(std::string_view text, std::string_view source, std::string_view header);

  bool next();  // reads a row; false at the end
  // Of the current row, counted from 0. Errors name the line and the column.
  const std::string& field(std::size_t column) const { return fields_[column]; }
  std::int64_t integer(std::size_t column, std::int64_t low, std::int64_t high) const;
  double number(std::size_t column) const;                       // "nan" and "inf" are numbers
  std::optional<double> maybe_number(std::size_t column) const;  // empty field: none
  float probability(std::size_t column) const;                   // 0..1 (a rounding more is let pass), or nan

 private:
  bool read_row();
  Error error(std::string_view message) const;
  Error bad_field(std::size_t column, std::string_view expected) const;

  std::string_view rest_;
  std::string source_;
  std::vector<std::string> names_, fields_;
  std::int64_t line_ = 0, next_line_ = 1;
};

// The text as a field: in quotes where needed.
std::string csv_field(std::string_view text);

}  // namespace effnet::report
