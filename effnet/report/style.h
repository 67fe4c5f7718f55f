// The style sheet of the pages and plots. For use inside effnet/report only.
#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace effnet::report {

// File name and text of report.css. cmake/EffnetEmbed.cmake generates the definition.
std::span<const std::pair<std::string_view, std::string_view>> embedded_style();

}  // namespace effnet::report
