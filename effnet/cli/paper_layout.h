// The two layouts of a table of the paper: aligned columns for a terminal, and Markdown.
#pragma once

#include <string>
#include <vector>

namespace effnet::cli {

using Cells = std::vector<std::string>;
using Layout = std::string(const Cells& titles, const std::vector<Cells>& rows);
Layout plain_table, markdown_table;  // the first column is left-aligned, the others right-aligned

}  // namespace effnet::cli
