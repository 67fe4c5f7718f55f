#include <numeric>

#include "effnet/base/error.h"
#include "effnet/report/svg.h"
#include "effnet/report/svg_parts.h"

namespace effnet::report {
namespace {

constexpr double kWidth = 700, kRow = 20, kBar = 14, kTop = 30, kFont = 12;
constexpr std::size_t kLongestLabel = 28;

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

std::string number(double value) { return tick_text(value, 1); }

}  // namespace

std::string svg(const StackedBars& bars) {
  double label_width = 0, most = 0;
  for (const StackedBars::Row& row : bars.rows) {
    EFFNET_CHECK(row.values.size() == bars.parts.size());
    label_width = std::max(label_width, text_width(shortened(row.label, kLongestLabel), kFont));
    most = std::max(most, sum(row.values));
  }
  const double left = label_width + 10, number_width = text_width(number(most), kFont) + 10;
  const double scale = most > 0 ? (kWidth - left - number_width) / most : 0;
  std::string out = svg_begin(kWidth, kTop + kRow * static_cast<double>(bars.rows.size()), bars.title, "bars");
  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < bars.parts.size(); ++i) {
    legend.push_back(
        {bars.parts[i],
         fmt::format("<rect class=\"bar c{}\" x=\"4\" y=\"-5\" width=\"12\" height=\"10\"/>", i % kColours)});
  }
  out += svg_legend(legend, left, kWidth).svg;
  double y = kTop;
  for (const StackedBars::Row& row : bars.rows) {
    std::string hint = escaped(row.label) + ":";
    for (std::size_t i = 0; i < bars.parts.size(); ++i)
      hint +=
          fmt::format(" {} {}{}", escaped(bars.parts[i]), number(row.values[i]), i + 1 < bars.parts.size() ? "," : "");
    out += fmt::format(
        "<g><title>{}</title><g class=\"labels\" font-size=\"12\"><text class=\"end\" x=\"{}\" y=\"{}\">{}"
        "</text></g>",
        hint, px(left - 8), px(y + kBar - 2.5), escaped(shortened(row.label, kLongestLabel)));
    double x = left;
    for (std::size_t i = 0; i < bars.parts.size(); ++i) {
      const double width = std::max(0.0, row.values[i]) * scale;
      if (width <= 0) continue;
      out += fmt::format("<rect class=\"bar c{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", i % kColours, px(x),
                         px(y), px(width), px(kBar));
      x += width;
    }
    out += fmt::format("<text x=\"{}\" y=\"{}\">{}</text></g>", px(x + 6), px(y + kBar - 2.5), number(sum(row.values)));
    y += kRow;
  }
  return out + "</svg>";
}

}  // namespace effnet::report
