// A table or figure of the paper as data: columns with a source, rows of values, drawings, notes. layout.h makes text,
// Markdown, CSV and JSON of it; page.h makes HTML pages and SVG files.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "effnet/report/svg.h"
#include "effnet/report/table.h"

namespace effnet::paper {

using Json = nlohmann::ordered_json;
using report::Align;

// Where the values of a column come from.
enum class Source {
  label,     // a name or a remark
  computed,  // by effnet from the network's graph
  measured,  // by effnet: in this run, or read from a file of results
  quoted,    // from a publication, as printed
};
std::string_view name(Source source);

using Value = std::variant<std::monostate, std::int64_t, double, std::string>;  // monostate: no value

struct Column {
  std::string key;    // in JSON and CSV; "paper.macs" is the member macs of the object paper
  std::string title;  // in text, Markdown and HTML; empty: the column is only in JSON and CSV
  Source source = Source::label;
  Align align = Align::right;
  int decimals = 2;       // of numbers that are not whole, in text
  std::string unit = {};  // in text, after each number
  double scale = 1;       // in text, numbers that are not whole are multiplied by this
};

struct Table {
  std::string key = "rows";  // in JSON
  std::string title = {};    // above the table; may be empty
  std::vector<Column> columns;
  std::vector<std::vector<Value>> rows;  // one value for each column
  std::string if_empty = {};             // shown instead of a table without rows
};

struct Item {
  std::string id;     // "table2", "fig3"
  std::string title;  // "Table 2: ImageNet accuracy and size"
  std::string about;  // one paragraph: what the paper shows, and what is computed
  std::vector<Table> tables;
  std::vector<report::Drawing> drawings;
  std::vector<std::string> notes;
  Json facts = Json::object();  // further members of the JSON document, such as the machine of a measurement
};

inline constexpr const char* kCitation = "Tan & Le 2019, EfficientNet, arXiv 1905.11946, version 5";

}  // namespace effnet::paper
