// Text files that people write by hand or by a spreadsheet, on any system. Everything that effnet reads of this kind
// goes through here, so that a byte order mark, "\r\n", blanks at the end of a line and quotes mean the same
// everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {

std::string_view without_mark(std::string_view text);  // without UTF-8's byte order mark
std::string_view trimmed(std::string_view text);       // without blanks, tabs and line ends at both ends

// The lines, without their ends ("\n", "\r\n", or "\r" where the text has no "\n") and without blanks behind them. Line
// i has number i + 1. They view `text`. Throws Error(input) that begins with `source` for UTF-16, and with the line for
// a byte that is not UTF-8 or for a NUL.
std::vector<std::string_view> text_lines(std::string_view text, std::string_view source);

// The rows of a CSV (RFC 4180): a field in quotes may hold separators, line ends and doubled quotes. An empty line is a
// row of one empty field.
class CsvRows {
 public:
  enum class From {
    effnet,  // written by csv_field(): commas, blanks count, a quote within a field is damage
    people,  // separated by what the first line has of comma, tab and semicolon, in this order; blanks around a field
             // do not count; a quote within a field is a character like others
  };
  // `text` outlives the reader. `source` begins the messages.
  CsvRows(std::string_view text, std::string_view source, From from);

  bool next();  // reads a row; false at the end. Throws Error(input)
  const std::vector<std::string>& fields() const { return fields_; }
  std::int64_t line() const { return line_; }  // of the row's first byte, from 1
  bool ended() const { return ended_; }        // false: the file ends within this row
  Error error(std::string_view message) const;

 private:
  void end_field(bool quoted);

  std::string_view rest_;
  std::string source_;
  From from_;
  char separator_ = ',';
  std::vector<std::string> fields_;
  std::int64_t line_ = 1, next_line_ = 1;
  bool ended_ = false;
};

// The text as a field of a CSV: in quotes where needed.
std::string csv_field(std::string_view text);

}  // namespace effnet
