// Reads text files that people write by hand or with a spreadsheet, on any system. All such files of effnet are read
// with these functions, so that byte order marks, "\r\n", blanks at the end of a line and quotes are treated alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {

std::string_view without_bom(std::string_view text);  // without UTF-8's byte order mark
std::string_view trimmed(std::string_view text);      // without blanks, tabs and line ends at both ends

// The lines of `text`, without line ends ("\n", "\r\n", or "\r" if the text has no "\n") and without blanks at the end.
// lines[i] is line number i + 1. The results are views of `text`. Throws Error(input): "SOURCE: ..." for UTF-16,
// "SOURCE:LINE: ..." for a line that is not UTF-8 or has a NUL.
std::vector<std::string_view> text_lines(std::string_view text, std::string_view source);

// Reads the rows of a CSV file (RFC 4180): a quoted field may contain separators, line ends and doubled quotes. An
// empty line is a row with one empty field.
class CsvRows {
 public:
  enum class From {
    effnet,  // written with csv_field(): the separator is a comma; blanks are kept; a quote inside an unquoted field is
             // an error
    people,  // the separator is the first of comma, tab and semicolon that the first line contains; blanks around a
             // field are removed; a quote inside an unquoted field is an ordinary character
  };
  // `text` must outlive the reader. Messages begin with `source`.
  CsvRows(std::string_view text, std::string_view source, From from);

  bool next();  // reads a row; returns false at the end. Throws Error(input)
  const std::vector<std::string>& fields() const { return fields_; }
  std::int64_t line() const { return line_; }   // line number of the row's first byte, from 1
  bool ended() const { return ended_; }         // false: the file ends within this row
  Error error(std::string_view message) const;  // Error(input): "SOURCE:LINE: message"

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

// The text as a CSV field, quoted if necessary.
std::string csv_field(std::string_view text);

}  // namespace effnet
