#include "effnet/paper/layout.h"

#include <fmt/ranges.h>

#include "effnet/base/error.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/report/csv.h"

namespace effnet::paper {
namespace {

bool has_value(const Value& value) { return !std::holds_alternative<std::monostate>(value); }

Json json_value(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* words = std::get_if<std::string>(&value)) return *words;
  return nullptr;
}

std::string csv_value(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value)) return report::shortest(*number);
  if (const auto* words = std::get_if<std::string>(&value)) return csv_field(*words);
  return {};
}

std::string first_part(const std::string& key) { return key.substr(0, key.find('.')); }

// The member of `object` at a key such as "paper.ours.name".
Json& member(Json& object, const std::string& key) {
  Json* at = &object;
  for (std::size_t begin = 0;;) {
    const std::size_t dot = key.find('.', begin);
    at = &(*at)[key.substr(begin, dot - begin)];
    if (dot == std::string::npos) return *at;
    begin = dot + 1;
  }
}

Json json_row(const Table& table, const std::vector<Value>& row) {
  Json object = Json::object(), sources = Json::object();
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    member(object, column.key) = json_value(row[i]);
    if (has_value(row[i]) && column.source != Source::label) sources[first_part(column.key)] = name(column.source);
  }
  object["source"] = sources;
  return object;
}

using Cells = std::vector<std::string>;

std::vector<report::Column> titles(const Table& table, const std::vector<std::size_t>& columns) {
  std::vector<report::Column> shown;
  shown.reserve(columns.size());
  for (const std::size_t i : columns) shown.push_back({table.columns[i].title, table.columns[i].align});
  return shown;
}

Cells cells(const Table& table, const std::vector<std::size_t>& columns, const std::vector<Value>& row) {
  Cells all;
  for (const std::size_t i : columns) all.push_back(shown(table.columns[i], row[i]));
  return all;
}

std::string text_table(const Table& table) {
  const std::vector<std::size_t> columns = shown_columns(table);
  report::Table out(titles(table, columns));
  for (const std::vector<Value>& row : table.rows) out.row(cells(table, columns, row));
  return out.text();
}

std::string markdown_table(const Table& table) {
  const std::vector<std::size_t> columns = shown_columns(table);
  Cells heads, lines;
  for (const report::Column& column : titles(table, columns)) {
    heads.push_back(column.title);
    lines.emplace_back(column.align == Align::left ? "---" : "---:");
  }
  std::string out = fmt::format("| {} |\n| {} |\n", fmt::join(heads, " | "), fmt::join(lines, " | "));
  for (const std::vector<Value>& row : table.rows) {
    Cells texts = cells(table, columns, row);
    for (std::string& cell : texts) {  // a bar would end the cell
      for (std::size_t at = cell.find('|'); at != std::string::npos; at = cell.find('|', at + 2)) cell.insert(at, "\\");
    }
    out += fmt::format("| {} |\n", fmt::join(texts, " | "));
  }
  return out;
}

std::string laid_out(const Item& item, std::string_view mark, std::string (*layout)(const Table&)) {
  std::string out = fmt::format("{}{}\n\n{}\n", mark, item.title, item.about);
  for (const Table& table : item.tables) {
    if (table.rows.empty() && table.if_empty.empty()) continue;
    out += "\n";
    if (!table.title.empty()) out += fmt::format("{}{}\n\n", mark.empty() ? "" : "## ", table.title);
    out += table.rows.empty() ? table.if_empty + "\n" : layout(table);
  }
  for (const std::string& note : item.notes) out += "\n" + note + "\n";
  return out + fmt::format("\n{} The paper: {}.\n", kLegend, kCitation);
}

}  // namespace

std::string_view name(Source source) {
  switch (source) {
    case Source::label:
      return "label";
    case Source::computed:
      return "computed";
    case Source::measured:
      return "measured";
    case Source::quoted:
      return "quoted";
  }
  throw internal_error("unknown source");
}

std::vector<std::size_t> shown_columns(const Table& table) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const bool filled = std::ranges::any_of(table.rows, [&](const auto& row) { return has_value(row[i]); });
    if (filled && !table.columns[i].title.empty()) columns.push_back(i);
  }
  return columns;
}

std::string shown(const Column& column, const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return grouped(*whole) + column.unit;
  if (const auto* number = std::get_if<double>(&value))
    return fmt::format("{:.{}f}{}", column.scale * *number, column.decimals, column.unit);
  if (const auto* words = std::get_if<std::string>(&value)) return one_line(*words);
  return column.source == Source::label ? "" : "-";
}

std::string text(const Item& item) { return laid_out(item, "", text_table); }

std::string markdown(const Item& item) { return laid_out(item, "# ", markdown_table); }

std::string csv(const Item& item) {
  std::string out;
  for (const Table& table : item.tables) {
    if (table.rows.empty()) continue;
    if (!out.empty()) out += "\n";
    Cells heads;
    for (const Column& column : table.columns) {
      heads.push_back(column.source == Source::label ? column.key
                                                     : fmt::format("{} ({})", column.key, name(column.source)));
    }
    out += fmt::format("{}\n", fmt::join(heads, ","));
    for (const std::vector<Value>& row : table.rows) {
      Cells fields;
      for (const Value& value : row) fields.push_back(csv_value(value));
      out += fmt::format("{}\n", fmt::join(fields, ","));
    }
  }
  return out;
}

Json json(const Item& item) {
  Json document{{"table", item.id}, {"title", item.title}};
  for (const Table& table : item.tables) {
    Json& rows = document[table.key] = Json::array();
    for (const std::vector<Value>& row : table.rows) rows.push_back(json_row(table, row));
  }
  for (const auto& [key, value] : item.facts.items()) document[key] = value;
  document["notes"] = item.notes;
  document["paper"] = kCitation;
  return document;
}

}  // namespace effnet::paper
