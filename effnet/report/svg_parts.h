// Helpers of the plots and pages. For use inside effnet/report only.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/report/html.h"

namespace effnet::report {

// Names and texts of svg.css and report.css. cmake/EffnetEmbed.cmake generates the definition.
std::span<const std::pair<std::string_view, std::string_view>> embedded_style();

// Estimates the width of a text, because only the browser knows the exact width. The estimate of 0.58 of the font size
// per letter is more than the average of common sans-serif fonts, so texts fit.
inline double text_width(std::string_view text, double font) {
  const auto letters =
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return 0.58 * font * static_cast<double>(letters);
}

// Returns a length as text, rounded to tenths, without a trailing ".0".
inline std::string px(double value) {
  const double tenths = std::round(value * 10) / 10;
  return fmt::format("{}", tenths == 0 ? 0.0 : tenths);
}

inline std::string svg_begin(double width, double height, std::string_view title, std::string_view kind) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" class=\"{}\" role=\"img\" aria-label=\"{}\">", px(width), px(height),
                     kind, escaped(title));
}

inline constexpr int kColours = 7;  // svg.css has the classes c0 to c6

struct LegendEntry {
  std::string name;
  std::string swatch;  // SVG drawn at (0, 0), 20 units wide
};

struct Legend {
  std::string svg;
  double height = 0;
};

// Places the entries in rows between `left` and `right`, with the font size 12.
inline Legend svg_legend(const std::vector<LegendEntry>& entries, double left, double right) {
  constexpr double kRowHeight = 18;
  Legend legend{"", kRowHeight};
  double x = left;
  for (const LegendEntry& entry : entries) {
    const double width = 26 + text_width(entry.name, 12) + 18;
    if (x > left && x + width > right + 18) {
      x = left;
      legend.height += kRowHeight;
    }
    legend.svg += fmt::format("<g transform=\"translate({} {})\">{}<text x=\"26\" y=\"4\">{}</text></g>", px(x),
                              px(legend.height - 6), entry.swatch, escaped(entry.name));
    x += width;
  }
  return legend;
}

}  // namespace effnet::report
