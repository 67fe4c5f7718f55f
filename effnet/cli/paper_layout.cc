#include "effnet/cli/paper_layout.h"

#include <fmt/ranges.h>

#include "effnet/report/table.h"

namespace effnet::cli {

std::string plain_table(const Cells& titles, const std::vector<Cells>& rows) {
  std::vector<report::Column> columns;
  for (const std::string& title : titles)
    columns.push_back({title, columns.empty() ? report::Align::left : report::Align::right});
  report::Table table(columns);
  for (const Cells& row : rows) table.row(row);
  return table.text();
}

std::string markdown_table(const Cells& titles, const std::vector<Cells>& rows) {
  std::string text = fmt::format("| {} |\n|{}", fmt::join(titles, " | "), " --- |");
  for (std::size_t i = 1; i < titles.size(); ++i) text += " ---: |";
  text += "\n";
  for (const Cells& row : rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  return text;
}

}  // namespace effnet::cli
