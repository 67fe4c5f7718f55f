#include "effnet/report/table.h"

#include <algorithm>

#include "effnet/base/error.h"

namespace effnet::report {
namespace {

// The number of characters, not bytes, of a UTF-8 text: labels may contain non-ASCII characters.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

void Table::row(std::vector<std::string> cells) {
  EFFNET_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t widest = width(columns_[c].title);
    for (const auto& cells : rows_) widest = std::max(widest, width(cells[c]));
    widths.push_back(widest);
  }
  std::string out;
  const auto line = [&](const auto& cell) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string& content = cell(c);
      const std::string space(widths[c] - width(content), ' ');
      if (c > 0) text += "  ";
      text += columns_[c].align == Align::left ? content + space : space + content;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
  std::vector<std::string> rules;
  rules.reserve(widths.size());
  for (const std::size_t w : widths) rules.emplace_back(w, '-');
  line([&](std::size_t c) -> const std::string& { return rules[c]; });
  for (const auto& cells : rows_) line([&](std::size_t c) -> const std::string& { return cells[c]; });
  return out;
}

}  // namespace effnet::report
