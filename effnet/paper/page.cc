#include "effnet/paper/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/paper/layout.h"
#include "effnet/report/html.h"

namespace effnet::paper {
namespace {

using report::escaped;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// "Table 2: accuracy ..." -> "Table 2", the text in the list of links.
std::string short_title(const Item& item) { return item.title.substr(0, item.title.find(':')); }

// The text as HTML. The short titles of other items become links.
std::string linked(std::string_view text, const Item& self, const std::vector<Item>& items) {
  std::string html = escaped(text);
  for (const Item& item : items) {
    const std::string title = short_title(item);
    if (item.id == self.id) continue;
    for (std::size_t at = html.find(title); at != std::string::npos; at = html.find(title, at)) {
      const std::size_t end = at + title.size();
      if (end < html.size() && is_digit(html[end])) {  // "Table 1" in "Table 12"
        at = end;
        continue;
      }
      const std::string link = fmt::format("<a href=\"#{}\">{}</a>", item.id, title);
      html.replace(at, title.size(), link);
      at += link.size();
    }
  }
  return html;
}

std::string cell_class(const Column& column) {
  std::string names(column.source == Source::label ? "" : name(column.source));
  if (column.align == Align::left) names += names.empty() ? "text" : " text";
  if (column.key == "note") names += " remark";
  return names.empty() ? "" : fmt::format(" class=\"{}\"", names);
}

std::string html_table(const Table& table, const Item& item, const std::vector<Item>& items) {
  std::string out;
  if (!table.title.empty()) out += fmt::format("<h3>{}</h3>\n", escaped(table.title));
  if (table.rows.empty()) return out + fmt::format("<p class=\"note\">{}</p>\n", escaped(table.if_empty));
  const std::vector<std::size_t> columns = shown_columns(table);
  out += "<div class=\"scroll\"><table class=\"sourced\">\n<thead><tr>";
  for (const std::size_t i : columns)
    out += fmt::format("<th{}>{}</th>", cell_class(table.columns[i]), escaped(table.columns[i].title));
  out += "</tr></thead>\n<tbody>\n";
  for (const std::vector<Value>& row : table.rows) {
    out += "<tr>";
    for (const std::size_t i : columns) {
      const std::string text = shown(table.columns[i], row[i]);
      out += fmt::format("<td{}>{}</td>", cell_class(table.columns[i]),
                         table.columns[i].key == "note" ? linked(text, item, items) : escaped(text));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string body_of(const Item& item, const std::vector<Item>& items) {
  std::string out = fmt::format("<p class=\"soft\">{}</p>\n", linked(item.about, item, items));
  if (!item.drawings.empty()) {
    out += fmt::format("<div class=\"{}\">\n", item.drawings.size() > 1 ? "grid" : "single");
    for (const report::Drawing& drawing : item.drawings) {
      out += fmt::format("<figure>\n<h3>{}</h3>\n{}\n", escaped(drawing.title), drawing.svg);
      if (!drawing.caption.empty())
        out += fmt::format("<figcaption>{}</figcaption>\n", linked(drawing.caption, item, items));
      out += "</figure>\n";
    }
    out += "</div>\n";
  }
  for (const Table& table : item.tables) {
    if (!table.rows.empty() || !table.if_empty.empty()) out += html_table(table, item, items);
  }
  for (const std::string& note : item.notes)
    out += fmt::format("<p class=\"note\">{}</p>\n", linked(note, item, items));
  return out;
}

// The number of values with each source on the page.
struct Totals {
  std::int64_t computed = 0, measured = 0, quoted = 0;
};

Totals totals_of(const std::vector<Item>& items) {
  Totals totals;
  for (const Item& item : items) {
    for (const Table& table : item.tables) {
      for (const std::vector<Value>& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
          if (std::holds_alternative<std::monostate>(row[i])) continue;
          if (table.columns[i].source == Source::computed) ++totals.computed;
          if (table.columns[i].source == Source::measured) ++totals.measured;
          if (table.columns[i].source == Source::quoted) ++totals.quoted;
        }
      }
    }
  }
  return totals;
}

std::string head_of(std::string_view title, const std::vector<Item>& items, std::string_view command,
                    std::string_view version) {
  const Totals totals = totals_of(items);
  std::string out = fmt::format(
      "<header>\n<h1>{}</h1>\n<p class=\"lead\">{} \xC2\xB7 effnet {}<br><code>{}</code></p>\n<dl class=\"facts "
      "sources\">\n",
      escaped(title), escaped(kCitation), escaped(version), escaped(command));
  const std::array<std::tuple<Source, std::int64_t, std::string_view>, 3> sources{
      std::tuple(Source::computed, totals.computed, "by effnet from the networks' graphs"),
      std::tuple(Source::measured, totals.measured, "by effnet, on the machine that the table names"),
      std::tuple(Source::quoted, totals.quoted, "from the paper, as printed")};
  for (const auto& [source, count, how] : sources) {
    out += fmt::format("<div class=\"{0}\"><dt>{0} {1}</dt><dd>{2}<small> value{3}</small></dd></div>\n", name(source),
                       how, grouped(count), count == 1 ? "" : "s");
  }
  return out + "</dl>\n</header>";
}

}  // namespace

std::string html_page(const std::vector<Item>& items, std::string_view command, std::string_view version) {
  const bool single = items.size() == 1;
  const std::string title = single ? items.front().title : "EfficientNet: the paper's tables and figures";
  std::vector<report::Section> sections;
  for (const Item& item : items) {
    std::string rest = item.title.substr(item.title.find(": ") + 2);
    rest[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(rest[0])));
    sections.push_back({item.id, short_title(item),
                        fmt::format("<p class=\"subtitle\">{}</p>\n{}", escaped(rest), body_of(item, items))});
  }
  return report::page(title, head_of(title, items, command, version), sections);
}

std::string svg_page(const Item& item) { return report::svg_file(item.title, item.drawings); }

}  // namespace effnet::paper
