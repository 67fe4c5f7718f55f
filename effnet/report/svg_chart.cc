#include <array>
#include <span>

#include "effnet/base/error.h"
#include "effnet/report/svg.h"
#include "effnet/report/svg_parts.h"

namespace effnet::report {
namespace {

constexpr double kFont = 12, kMaxValue = 1e300;
constexpr double kTitleHeight = 18;  // of the y axis' title, left of the ticks
constexpr std::size_t kMaxHints = 400;

// Maps values to positions along one axis of the plot.
class AxisScale {
 public:
  // `about`: the approximate number of ticks. If `extend` is true, each end without a fixed bound is moved to the next
  // tick outside the data.
  AxisScale(const Axis& axis, double low, double high, int about, bool extend)
      : log_(axis.log), low_(low), high_(high) {
    if (low_ == high_) {  // a single value: add a margin
      const double margin = low_ == 0 || axis.whole ? 1 : 0.1 * std::abs(low_);
      low_ = axis.low || log_ ? low_ * (log_ ? 0.8 : 1) : low_ - margin;
      high_ = log_ ? high_ * 1.25 : high_ + margin;
    }
    ticks_ = log_ ? nice_log_ticks(low_, high_, about) : nice_ticks(low_, high_, about);
    if (axis.whole) std::erase_if(ticks_, [](double tick) { return tick != std::round(tick); });
    if (extend && !log_ && ticks_.size() > 1) {
      const double step = ticks_[1] - ticks_[0];
      if (!axis.low && low_ < ticks_.front() - 1e-9 * step) ticks_.insert(ticks_.begin(), ticks_.front() - step);
      if (!axis.high && high_ > ticks_.back() + 1e-9 * step) ticks_.push_back(ticks_.back() + step);
      low_ = std::min(low_, ticks_.front());
      high_ = std::max(high_, ticks_.back());
    }
    for (std::size_t i = 0; i < ticks_.size(); ++i) {
      const double step = ticks_.size() < 2 ? ticks_[i] : log_ ? ticks_[i] : ticks_[1] - ticks_[0];
      texts_.push_back(tick_text(ticks_[i], step == 0 ? 1 : step) + axis.unit);
    }
  }

  // The positions of the low and the high end.
  void set_positions(double begin, double end) { begin_ = begin, end_ = end; }
  double at(double value) const {
    const double fraction = log_ ? (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_))
                                 : (value - low_) / (high_ - low_);
    return begin_ + std::clamp(fraction, 0.0, 1.0) * (end_ - begin_);
  }
  bool shows(double value) const { return std::abs(value) <= kMaxValue && (!log_ || value > 0); }  // false for a NaN
  double low() const { return low_; }
  const std::vector<double>& ticks() const { return ticks_; }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  bool log_;
  double low_, high_, begin_ = 0, end_ = 1;
  std::vector<double> ticks_;
  std::vector<std::string> texts_;
};

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double value, const Axis& axis) {
    if (!(std::abs(value) <= kMaxValue) || (axis.log && value <= 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

std::string number(double value) {
  std::string text = fmt::format("{:.6g}", value);
  return text.starts_with('-') ? "\xE2\x88\x92" + text.substr(1) : text;
}

// Keeps the lowest and the highest point of each range of neighbouring points, in their order. If no point of a range
// is finite, the first one is kept as a gap.
std::vector<Point> thinned(const std::vector<Point>& points) {
  if (points.size() <= kMaxLinePoints) return points;
  const std::size_t length = (2 * points.size() + kMaxLinePoints - 1) / kMaxLinePoints;
  std::vector<Point> kept;
  for (std::size_t begin = 0; begin < points.size(); begin += length) {
    const auto part = std::span(points).subspan(begin, std::min(length, points.size() - begin));
    std::size_t low = part.size(), high = part.size();
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (!(std::abs(part[i].y) <= kMaxValue)) continue;
      if (low == part.size() || part[i].y < part[low].y) low = i;
      if (high == part.size() || part[i].y > part[high].y) high = i;
    }
    if (low == part.size()) {
      kept.push_back(part.front());
      continue;
    }
    kept.push_back(part[std::min(low, high)]);
    if (low != high) kept.push_back(part[std::max(low, high)]);
  }
  return kept;
}

// The error bars of a line.
std::string draw_spread(const Line& line, const AxisScale& x, const AxisScale& y) {
  if (line.spread.empty()) return {};
  EFFNET_CHECK(line.spread.size() == line.points.size());
  std::string path;
  for (std::size_t i = 0; i < line.points.size(); ++i) {
    const auto& [low, high] = line.spread[i];
    if (!x.shows(line.points[i].x) || !y.shows(low) || !y.shows(high)) continue;
    const double at = x.at(line.points[i].x);
    path += fmt::format("M{0} {1}h8m-4 0V{2}m-4 0h8", px(at - 4), px(y.at(low)), px(y.at(high)));
  }
  return fmt::format("<path class=\"spread c{}\" d=\"{}\"/>", line.colour % kColours, path);
}

std::string draw_line(const Line& line, const AxisScale& x, const AxisScale& y, const Axis& x_axis,
                      const Axis& y_axis) {
  const std::vector<Point> points = thinned(line.points);
  EFFNET_CHECK(line.point_names.empty() || line.point_names.size() == points.size());
  std::string path, dots, hints;
  const auto shown = [&](std::size_t i) { return i < points.size() && x.shows(points[i].x) && y.shows(points[i].y); };
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!shown(i)) continue;
    const std::string px_x = px(x.at(points[i].x)), px_y = px(y.at(points[i].y));
    const bool first = i == 0 || !shown(i - 1);
    path += fmt::format("{}{} {}", first ? "M" : "L", px_x, px_y);
    if (line.dots || !line.joined || (first && !shown(i + 1)))
      dots +=
          fmt::format("<circle class=\"dot c{}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>", line.colour % kColours, px_x, px_y);
    if (line.hints && points.size() <= kMaxHints) {
      const std::string& name = !line.point_names.empty() ? line.point_names[i]
                                : !line.name.empty()      ? line.name
                                                          : y_axis.title;
      hints += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"7\"><title>{} {}: {}{}{}{}</title></circle>", px_x, px_y,
                           escaped(x_axis.title), number(points[i].x), escaped(name), name.empty() ? "" : " ",
                           number(points[i].y), escaped(y_axis.unit));
    }
  }
  std::string out;
  if (!path.empty() && line.joined) {
    out += fmt::format("<path class=\"line c{}{}\" d=\"{}\"/>", line.colour % kColours, line.dashed ? " dashed" : "",
                       path);
  }
  out += draw_spread(line, x, y) + dots;
  if (line.mark && *line.mark < line.points.size()) {
    const Point& p = line.points[*line.mark];
    if (x.shows(p.x) && y.shows(p.y)) {
      out += fmt::format("<circle class=\"mark c{}\" cx=\"{}\" cy=\"{}\" r=\"4.5\"/>", line.colour % kColours,
                         px(x.at(p.x)), px(y.at(p.y)));
    }
  }
  return out + (hints.empty() ? "" : "<g class=\"hints\">" + hints + "</g>");
}

std::string draw_bars(const Bars& bars, const AxisScale& x, const AxisScale& y) {
  std::string out;
  for (const Bar& bar : bars.bars) {
    if (!x.shows(bar.x0) || !x.shows(bar.x1) || !y.shows(bar.y)) continue;
    const double left = x.at(bar.x0), right = x.at(bar.x1), top = y.at(bar.y), bottom = y.at(y.low());
    const double gap = right - left > 6 ? 1 : 0;  // between neighbouring bars
    out += fmt::format("<rect class=\"bar c{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
                       bars.colour % kColours, px(left + gap), px(top), px(std::max(0.0, right - left - 2 * gap)),
                       px(std::max(0.0, bottom - top)), escaped(bar.hint));
  }
  return out;
}

Legend legend_of(const Chart& chart, double left, double right) {
  std::vector<LegendEntry> entries;
  for (const Bars& bars : chart.bars) {
    if (bars.name.empty()) continue;
    entries.push_back({bars.name, fmt::format("<rect class=\"bar c{}\" x=\"4\" y=\"-5\" width=\"12\" height=\"10\"/>",
                                              bars.colour % kColours)});
  }
  for (const Line& line : chart.lines) {
    if (line.name.empty()) continue;
    const std::string shape =
        line.joined ? fmt::format("<path class=\"line c{}{}\" d=\"M0 0H20\"/>", line.colour % kColours,
                                  line.dashed ? " dashed" : "")
                    : fmt::format("<circle class=\"dot c{}\" cx=\"10\" cy=\"0\" r=\"3\"/>", line.colour % kColours);
    entries.push_back({line.name, shape});
  }
  return svg_legend(entries, left, right);
}

}  // namespace

std::string svg(const Chart& chart) {
  Range x_range, y_range;
  for (const Line& line : chart.lines) {
    for (const Point& p : line.points) {
      if (!(std::abs(p.y) <= kMaxValue)) continue;
      x_range.add(p.x, chart.x);
      y_range.add(p.y, chart.y);
    }
    for (const auto& [low, high] : line.spread) {
      y_range.add(low, chart.y);
      y_range.add(high, chart.y);
    }
  }
  for (const Bars& bars : chart.bars) {
    for (const Bar& bar : bars.bars) {
      x_range.add(bar.x0, chart.x);
      x_range.add(bar.x1, chart.x);
      y_range.add(bar.y, chart.y);
      y_range.add(0, chart.y);
    }
  }
  const double width = chart.width;
  if (x_range.empty() || y_range.empty()) {
    return svg_begin(width, chart.height, chart.title, "chart") +
           fmt::format("<text class=\"none\" x=\"{}\" y=\"{}\">nothing to show</text></svg>", px(width / 2),
                       px(chart.height / 2.0));
  }
  const auto bounded = [](const Axis& axis, Range range) {
    const double low = axis.low.value_or(range.low), high = axis.high.value_or(range.high);
    return std::pair(std::min(low, range.low), std::max(high, range.high));
  };
  const auto [x_low, x_high] = bounded(chart.x, x_range);
  const auto [y_low, y_high] = bounded(chart.y, y_range);
  AxisScale y(chart.y, y_low, y_high, std::max(2, chart.height / 55), true);
  double widest = 0;
  for (const std::string& text : y.texts()) widest = std::max(widest, text_width(text, kFont));
  const double left = widest + 12 + (chart.y.title.empty() ? 0 : kTitleHeight), right = width - 16;
  const Legend legend = legend_of(chart, left, right);
  const double top = 12 + legend.height, height = chart.height + top - 30;  // 30: with a legend of one row
  const double bottom = height - (chart.x.title.empty() ? 24 : 40);
  AxisScale x(chart.x, x_low, x_high, std::max(2, static_cast<int>((right - left) / 70)), false);
  y.set_positions(bottom, top);
  x.set_positions(left, right);

  std::string out = svg_begin(width, height, chart.title, "chart") + "<g class=\"grid\">";
  for (const double tick : y.ticks())
    out += fmt::format("<path d=\"M{} {}H{}\"/>", px(left), px(y.at(tick)), px(right));
  out += "</g><g class=\"ticks\">";
  for (std::size_t i = 0; i < y.ticks().size(); ++i) {
    out += fmt::format("<text class=\"end\" x=\"{}\" y=\"{}\">{}</text>", px(left - 8), px(y.at(y.ticks()[i]) + 4),
                       escaped(y.texts()[i]));
  }
  for (std::size_t i = 0; i < x.ticks().size(); ++i) {
    const std::string at = px(x.at(x.ticks()[i]));
    out += fmt::format("<path d=\"M{} {}v5\"/><text class=\"middle\" x=\"{}\" y=\"{}\">{}</text>", at, px(bottom), at,
                       px(bottom + 18), escaped(x.texts()[i]));
  }
  out += fmt::format("<path class=\"axis\" d=\"M{} {}H{}\"/>", px(left), px(bottom), px(right));
  if (!chart.x.title.empty()) {
    out += fmt::format("<text class=\"middle\" x=\"{}\" y=\"{}\">{}</text>", px((left + right) / 2), px(bottom + 35),
                       escaped(chart.x.title));
  }
  if (!chart.y.title.empty()) {
    out += fmt::format("<text class=\"middle\" transform=\"translate({} {}) rotate(-90)\">{}</text>", px(kFont),
                       px((top + bottom) / 2), escaped(chart.y.title));
  }
  out += "</g>" + legend.svg;
  for (const Bars& bars : chart.bars) out += draw_bars(bars, x, y);
  for (const Line& line : chart.lines) out += draw_line(line, x, y, chart.x, chart.y);
  return out + "</svg>";
}

}  // namespace effnet::report
