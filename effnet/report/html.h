// HTML for the report: escapes text, embeds images, and builds the page from its sections.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// Escapes any bytes for HTML and XML text and quoted attributes: & < > " ' become references; line ends (\r and \n) and
// tabs become spaces. U+FFFD replaces bytes that are not UTF-8, control characters, and characters that change the
// writing direction (they could make one name look like another).
std::string escaped(std::string_view text);
// Shortens UTF-8 text to at most `max_characters`. The last character of a shortened text is an ellipsis. Does not
// escape.
std::string shortened(std::string_view text, std::size_t max_characters);

std::string data_uri(std::string_view mime, std::span<const std::byte> bytes);  // base64

struct Section {
  std::string id;     // the anchor; only letters and digits
  std::string title;  // text
  std::string body;   // HTML
};
// Returns a complete HTML document. It has no scripts, no fonts and no external resources, and its content security
// policy forbids them. `title` is text, `head` is HTML.
std::string page(std::string_view title, std::string_view head, const std::vector<Section>& sections);

}  // namespace effnet::report
