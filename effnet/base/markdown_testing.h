// Reads the tables of a Markdown page. For tests that compare code with a page of docs/, so that a number is typed only
// on the page.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/base/lines.h"

namespace effnet {

struct MarkdownTable {
  std::string heading;                         // the nearest heading above, without #
  std::vector<std::string> columns;            // titles
  std::vector<std::vector<std::string>> rows;  // cells, without ** marks
  std::string name() const { return heading + ", column " + columns.front(); }
};

// The cells of a line "| a | b |".
inline std::vector<std::string> markdown_cells(std::string_view line) {
  std::vector<std::string> cells;
  line.remove_prefix(1);
  for (std::size_t bar = line.find('|'); bar != std::string_view::npos; bar = line.find('|')) {
    std::string cell(trimmed(line.substr(0, bar)));
    for (std::size_t at = cell.find("**"); at != std::string::npos; at = cell.find("**")) cell.erase(at, 2);
    cells.push_back(std::move(cell));
    line.remove_prefix(bar + 1);
  }
  return cells;
}

inline std::vector<MarkdownTable> markdown_tables(const std::string& path) {
  const std::string text = read_text(path);
  std::vector<MarkdownTable> tables;
  std::string heading;
  bool inside = false;
  for (const std::string_view line : text_lines(text, path)) {
    if (line.starts_with("#")) heading = trimmed(line.substr(line.find_first_not_of('#')));
    if (!line.starts_with("|")) {
      inside = false;
      continue;
    }
    if (!inside) {
      tables.push_back({heading, markdown_cells(line), {}});
      inside = true;
    } else if (!line.starts_with("| ---")) {
      tables.back().rows.push_back(markdown_cells(line));
      EXPECT_EQ(tables.back().rows.back().size(), tables.back().columns.size()) << path << ": " << line;
    }
  }
  return tables;
}

// The parts of a text between separators, without blanks at their ends: ("1 / 2", "/") -> "1", "2".
inline std::vector<std::string> split_at(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (std::size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    parts.emplace_back(trimmed(text.substr(0, at)));
    text.remove_prefix(at + separator.size());
  }
  parts.emplace_back(trimmed(text));
  return parts;
}

}  // namespace effnet
