// The layouts of an Item that need no page: text for a terminal, Markdown, CSV and JSON. All four show the same values.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "effnet/paper/item.h"

namespace effnet::paper {

std::string text(const Item& item);
std::string markdown(const Item& item);
// A line of column names with the source, such as "paper.macs (quoted)", then a line for each row. An empty line is
// before each further table.
std::string csv(const Item& item);
// {"table", "title", a member for each table, facts, "notes", "paper"}. A row has a member for each column, and
// "source": for every member that has a value, where it comes from.
Json json(const Item& item);

// For layouts of tables: the columns with a title and at least one value, and the text of a value ("-" if there is
// none).
std::vector<std::size_t> shown_columns(const Table& table);
std::string shown(const Column& column, const Value& value);
// What the words in the column titles mean.
inline constexpr const char* kLegend =
    "Columns named paper are quoted as printed, columns named measured were measured by effnet, all other numbers are "
    "computed from effnet's graphs.";

}  // namespace effnet::paper
