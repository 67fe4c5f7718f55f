// HTML pages and SVG files of items.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "effnet/paper/item.h"

namespace effnet::paper {

// A complete HTML page without scripts and external resources. It has a section for each item; words such as "Table 2"
// are links if the page has that item. `command` and `version` say how the page was made.
std::string html_page(const std::vector<Item>& items, std::string_view command, std::string_view version);
// A complete SVG file of the item's drawings, which must not be empty.
std::string svg_page(const Item& item);

}  // namespace effnet::paper
