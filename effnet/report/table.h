// A text table for the terminal. Each column is as wide as its widest cell and aligned left or right.
#pragma once

#include <string>
#include <vector>

namespace effnet::report {

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::right;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells);  // adds a row with one cell per column
  std::string text() const;                  // the table, with a line under the titles; ends with a newline

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace effnet::report
