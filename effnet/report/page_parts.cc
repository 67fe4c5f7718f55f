#include "effnet/report/page_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "effnet/base/text.h"
#include "effnet/report/html.h"

namespace effnet::report {

std::string duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e12)) return "?";
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < std::int64_t{48} * 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {:02} h", whole / 86400, whole % 86400 / 3600);
}

std::string bytes_text(double bytes) {
  for (const auto& [unit, size] : {std::pair("GiB", 0x1p30), std::pair("MiB", 0x1p20), std::pair("KiB", 0x1p10)}) {
    const double number = bytes / size;
    if (number >= 999.5) return fmt::format("{:.0f} {}", number, unit);  // "{:.3g}" prints 1,010 as 1.01e+03
    if (number >= 1) return fmt::format("{:.3g} {}", number, unit);
  }
  return fmt::format("{} bytes", bytes);
}

std::string rate_text(double per_second) {
  return per_second >= 100 ? grouped(std::llround(std::min(per_second, 1e15))) : fmt::format("{:.3g}", per_second);
}

std::string note(std::string_view text) { return fmt::format("<p class=\"note\">{}</p>", escaped(text)); }

std::string guide(std::string_view text) { return fmt::format("<p class=\"soft\">{}</p>\n", text); }

std::string fact(std::string_view name, std::string_view value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value));
}

std::string named_row(std::string_view name, std::string_view value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
}

std::string figure(std::string_view title, std::string_view svg, std::string_view caption) {
  std::string out = fmt::format("<figure>\n<h3>{}</h3>\n{}\n", escaped(title), svg);
  if (!caption.empty()) out += fmt::format("<figcaption>{}</figcaption>\n", caption);
  return out + "</figure>\n";
}

std::string percent_text(double probability) {
  const double percent = 100 * probability;
  if (!std::isfinite(percent)) return "?";
  if (percent >= 99.95 && percent < 100) return fmt::format("{:.2f} %", std::min(percent, 99.99));
  return percent != 0 && percent < 0.1 ? "&lt; 0.1 %" : fmt::format("{:.1f} %", percent);
}

}  // namespace effnet::report
