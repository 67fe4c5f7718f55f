// HTML for the report page: text made safe, images inside of the page, the page around its sections.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// Any bytes as text of HTML and XML, in an element or a quoted attribute: & < > " ' become references. What is not
// UTF-8, control characters, and the marks that turn the direction of writing (a name could show as another one) become
// U+FFFD, a line's end and a tab a space.
std::string escaped(std::string_view text);
// The first `most` characters of UTF-8 text, with an ellipsis if there were more. Not escaped.
std::string shortened(std::string_view text, std::size_t most);

std::string data_uri(std::string_view mime, std::span<const std::byte> bytes);  // base64

struct Section {
  std::string id;     // letters; the anchor
  std::string title;  // text
  std::string body;   // HTML
};
// A whole document: no script, no font, nothing outside of itself, which its content security policy also forbids.
// `title` is text, `head` HTML.
std::string page(std::string_view title, std::string_view head, const std::vector<Section>& sections);

}  // namespace effnet::report
