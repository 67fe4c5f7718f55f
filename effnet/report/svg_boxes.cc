#include "effnet/base/error.h"
#include "effnet/report/svg.h"
#include "effnet/report/svg_parts.h"

namespace effnet::report {
namespace {

constexpr double kWidth = 1000, kTallest = 110, kGap = 1, kLabels = 40, kBetweenRows = 18;

// The numbers of units of the drawing for one unit of the boxes.
struct Scales {
  double width = 1, height = 1;
};

Scales scales_of(const BoxRows& rows) {
  double widest = 0, tallest = 0;
  std::size_t most = 0;  // boxes of a row
  for (const BoxRows::Row& row : rows.rows) {
    double width = 0;
    for (const BoxRows::Box& box : row.boxes) {
      EFFNET_CHECK(box.width > 0 && box.height > 0 && (!box.part || *box.part < rows.parts.size()));
      width += box.width;
      tallest = std::max(tallest, box.height);
    }
    widest = std::max(widest, width);
    most = std::max(most, row.boxes.size());
  }
  if (widest == 0) return {};
  // A row with many boxes has many gaps, but at least half of the drawing is for the boxes.
  const double room = std::max(kWidth / 2, kWidth - kGap * static_cast<double>(most));
  return {room / widest, kTallest / tallest};
}

}  // namespace

std::string svg(const BoxRows& rows) {
  std::vector<LegendEntry> entries;
  entries.reserve(rows.parts.size() + 1);
  const auto add = [&](const std::string& name, const std::string& colour) {
    entries.push_back({name, fmt::format("<rect class=\"{}\" x=\"4\" y=\"-5\" width=\"12\" height=\"10\"/>", colour)});
  };
  for (std::size_t i = 0; i < rows.parts.size(); ++i) add(rows.parts[i], fmt::format("bar c{}", i % kColours));
  if (!rows.neutral.empty()) add(rows.neutral, "neutral");
  const Legend legend = svg_legend(entries, 0, kWidth);
  const Scales scale = scales_of(rows);
  double top = legend.height + 8;
  std::string body;
  for (const BoxRows::Row& row : rows.rows) {
    double tallest = 0;
    for (const BoxRows::Box& box : row.boxes) tallest = std::max(tallest, scale.height * box.height);
    body += fmt::format(
        "<g class=\"labels\" font-size=\"14\"><text x=\"0\" y=\"{}\">{}</text></g><text x=\"0\" y=\"{}\">{}</text>",
        px(top + 14), escaped(row.label), px(top + 31), escaped(row.detail));
    const double middle = top + kLabels + tallest / 2;
    double x = 0;
    for (const BoxRows::Box& box : row.boxes) {
      const double width = scale.width * box.width, height = scale.height * box.height;
      const std::string colour = box.part ? fmt::format("bar c{}", *box.part % kColours) : "neutral";
      body += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
                          colour, px(x), px(middle - height / 2), px(width), px(height), escaped(box.hint));
      x += width + kGap;
    }
    top += kLabels + tallest + kBetweenRows;
  }
  return svg_begin(kWidth, top, rows.title, "boxes") + legend.svg + body + "</svg>";
}

}  // namespace effnet::report
