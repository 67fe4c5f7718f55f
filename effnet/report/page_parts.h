// Texts and small pieces of HTML that the pages share. For use inside effnet/report only.
#pragma once

#include <string>
#include <string_view>

namespace effnet::report {

// "1 h 02 min", "3 min 05 s", "12.3 s".
std::string duration(double seconds);
std::string bytes_text(double bytes);      // "1.25 GiB"
std::string rate_text(double per_second);  // "1,234", "12.3"

std::string note(std::string_view text);  // a highlighted paragraph, for example the reason why a section is empty
// A paragraph above a figure: what it shows, how to read it, what to do. `text` is HTML.
std::string guide(std::string_view text);
std::string fact(std::string_view name, std::string_view value);       // a cell of <dl class="facts">; both are text
std::string named_row(std::string_view name, std::string_view value);  // a row of <dl class="rows">; both are text
std::string figure(std::string_view title, std::string_view svg, std::string_view caption = {});  // caption: HTML
std::string percent_text(double probability);  // "12.3 %", "&lt; 0.1 %", "?" if not finite; 0..1, HTML

}  // namespace effnet::report
