// Makes plots as SVG elements: lines and bars over numeric axes, stacked bars, heat maps, and networks as rows of
// boxes. They need no script. Their colours are classes and variables of svg.css, so that they follow light mode, dark
// mode and print. Names, titles and hints may be any text: they are escaped here.
//
// Each plot is a well-formed <svg> element with a viewBox; the page sets its size. Lengths are in units of the viewBox,
// about one pixel.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace effnet::report {

struct Axis {
  std::string title;                // below the x axis; beside the y axis, turned by 90 degrees. Empty: none
  bool log = false;                 // log scale; values of 0 and below are not drawn
  std::optional<double> low, high;  // ends of the axis; default: the range of the data
  std::string unit;                 // text after each number, such as " %"
  bool whole = false;               // ticks only at whole numbers
};

struct Point {
  double x = 0, y = 0;
};

inline constexpr std::size_t kMaxLinePoints = 2000;

// A point that is not finite (or beyond 1e300) is a gap in the line. If a line has more than kMaxLinePoints points,
// only the lowest and the highest point of each range of neighbouring points are drawn.
struct Line {
  std::string name;  // empty: not in the legend
  std::vector<Point> points;
  int colour = 0;  // 0..6; larger ones repeat the colours
  bool dashed = false;
  bool hints = true;                     // show a point's numbers while the mouse is over it
  std::optional<std::size_t> mark = {};  // index of the point that gets a ring
  bool dots = false;                     // draw a dot at each point
  bool joined = true;                    // false: no line between the points, only dots
  // Error bars: empty, or the lower and upper end for each point. For lines of at most kMaxLinePoints points.
  std::vector<std::pair<double, double>> spread = {};
  // Empty, or a name for each point, which its hint shows in place of `name`. As for `spread`.
  std::vector<std::string> point_names = {};
};

struct Bar {
  double x0 = 0, x1 = 0, y = 0;  // the bar's left, right and upper end; it begins at the lower end of the y axis
  std::string hint;              // shown while the mouse is over it
};
struct Bars {
  std::string name;
  std::vector<Bar> bars;
  int colour = 0;
};

struct Chart {
  std::string title;  // for screen readers
  int width = 560, height = 300;
  Axis x, y;
  std::vector<Bars> bars;  // drawn behind the lines
  std::vector<Line> lines;
};
std::string svg(const Chart& chart);

// Horizontal bars of several parts, one bar for each row: for example the images of a class in train, val and test.
struct StackedBars {
  std::string title;               // for screen readers
  std::vector<std::string> parts;  // names for the legend; part i has colour i
  struct Row {
    std::string label;
    std::vector<double> values;  // one for each part, 0 or more
  };
  std::vector<Row> rows;
};
std::string svg(const StackedBars& bars);

struct HeatCell {
  std::size_t row = 0, column = 0;
  double heat = 0;     // 0..1: strength of the colour
  bool alarm = false;  // true: the second colour, for mistakes
  std::string text;    // inside the cell, if the cells are large enough
  std::string hint;
};
struct HeatMap {
  std::string title;
  std::string row_title, column_title;
  std::vector<std::string> rows, columns;  // labels
  std::vector<HeatCell> cells;             // the other cells are empty
};
std::string svg(const HeatMap& map);

// Networks as rows of boxes, one box for each layer, from left to right. All rows have the same scales. The widest row
// fills the drawing's width.
struct BoxRows {
  std::string title;               // for screen readers
  std::vector<std::string> parts;  // names for the legend; part i has colour i
  struct Box {
    double width = 0, height = 0;          // above 0; in any units, the same for all boxes
    std::optional<std::size_t> part = {};  // empty: a neutral colour
    std::string hint = {};
  };
  struct Row {
    std::string label, detail;  // two lines above the boxes
    std::vector<Box> boxes;
  };
  std::vector<Row> rows;
  std::string neutral = {};  // the legend's name for the boxes without a part; empty: not in the legend
};
std::string svg(const BoxRows& rows);

// A plot with its heading and a remark, as texts.
struct Drawing {
  std::string title;
  std::string svg;  // of a function above
  std::string caption = {};
};
// A complete SVG file with the drawings, each below the previous one. It has the styles that the drawings need, and
// follows the viewer's light or dark mode; programs that do not know CSS variables show light mode.
std::string svg_file(std::string_view title, const std::vector<Drawing>& drawings);

// Returns about `about` ticks within [low, high]: at least 1, at most 2 * about + 1. Their distance is 1, 2 or 5 times
// a power of ten. Requires low <= high, both within +-1e300.
std::vector<double> nice_ticks(double low, double high, int about);
// The same for a log scale. The ticks are powers of ten; if there are few, also 2 and 5 times these powers. Requires 0
// < low <= high.
std::vector<double> nice_log_ticks(double low, double high, int about);
// The text of a tick ("0.05", "12,000", "1e-6"), with as many digits as needed to distinguish ticks at a distance of
// `step`.
std::string tick_text(double value, double step);

}  // namespace effnet::report
