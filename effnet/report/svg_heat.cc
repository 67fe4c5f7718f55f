#include "effnet/base/error.h"
#include "effnet/report/svg.h"
#include "effnet/report/svg_parts.h"

namespace effnet::report {
namespace {

constexpr double kSide = 620;  // approximate side of the map
constexpr std::size_t kLongestLabel = 22;

}  // namespace

std::string svg(const HeatMap& map) {
  const std::size_t n = std::max(map.rows.size(), map.columns.size());
  EFFNET_CHECK(n > 0);
  const double cell = std::clamp(std::floor(kSide / static_cast<double>(n)), 8.0, 46.0);
  const double font = std::clamp(cell * 0.82, 6.5, 12.0);
  const auto label = [](const std::string& text) { return shortened(text, kLongestLabel); };
  double row_label_width = 0, column_label_width = 0;
  for (const std::string& text : map.rows) row_label_width = std::max(row_label_width, text_width(label(text), font));
  for (const std::string& text : map.columns)
    column_label_width = std::max(column_label_width, text_width(label(text), font));

  // Column labels are rotated by 45 degrees: they need length / sqrt(2) above the map and to its right.
  const double titles = 24, left = titles + row_label_width + 8, top = titles + column_label_width * 0.75 + 14;
  const double map_w = cell * static_cast<double>(map.columns.size());
  const double map_h = cell * static_cast<double>(map.rows.size());
  const double width = left + map_w + column_label_width * 0.75 + 4, height = top + map_h + 2;

  // The page may scale the map down, but up only by 10 %: otherwise the text of a small map would be very large.
  std::string out = svg_begin(width, height, map.title, "heat");
  out.insert(out.size() - 1, fmt::format(" style=\"max-width:{}px\"", px(1.1 * width)));
  out += fmt::format("<text class=\"title middle\" x=\"{}\" y=\"14\">{}</text>", px(left + map_w / 2),
                     escaped(map.column_title));
  out += fmt::format("<text class=\"title middle\" transform=\"translate(14 {}) rotate(-90)\">{}</text>",
                     px(top + map_h / 2), escaped(map.row_title));
  out += fmt::format("<rect class=\"field\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", px(left), px(top),
                     px(map_w), px(map_h));
  out += fmt::format("<g class=\"labels\" font-size=\"{}\">", px(font));
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    out += fmt::format("<text class=\"end\" x=\"{}\" y=\"{}\">{}</text>", px(left - 7),
                       px(top + cell * (static_cast<double>(r) + 0.5) + font * 0.35), escaped(label(map.rows[r])));
  }
  for (std::size_t c = 0; c < map.columns.size(); ++c) {
    out += fmt::format("<text transform=\"translate({} {}) rotate(-45)\">{}</text>",
                       px(left + cell * (static_cast<double>(c) + 0.5) + font * 0.2), px(top - 7),
                       escaped(label(map.columns[c])));
  }
  out += "</g>";

  const double gap = cell >= 14 ? 1 : 0.5;
  const double inside = std::min(12.0, cell * 0.36);
  out += fmt::format("<g class=\"cells\" font-size=\"{}\">", px(inside));
  for (const HeatCell& one : map.cells) {
    EFFNET_CHECK(one.row < map.rows.size() && one.column < map.columns.size());
    const double x = left + cell * static_cast<double>(one.column), y = top + cell * static_cast<double>(one.row);
    const double heat = std::clamp(one.heat, 0.0, 1.0);
    out += fmt::format(
        "<g><title>{}</title><rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"{:.2g}\"/>",
        escaped(one.hint), one.alarm ? "wrong" : "right", px(x + gap / 2), px(y + gap / 2), px(cell - gap),
        px(cell - gap), heat);
    if (!one.text.empty() && cell >= 20) {
      out += fmt::format("<text class=\"middle{}\" x=\"{}\" y=\"{}\">{}</text>", heat > 0.55 ? " onheat" : "",
                         px(x + cell / 2), px(y + cell / 2 + inside * 0.36), escaped(one.text));
    }
    out += "</g>";
  }
  return out + "</g></svg>";
}

}  // namespace effnet::report
