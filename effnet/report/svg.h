// Plots as SVG elements for a page: lines and bars over numeric axes, and heat maps. No script; colours are the classes
// and variables of report.css, so that a plot follows the page from light to dark and to paper. Names, titles and hints
// are text from anywhere: they are escaped here.
//
// An element stands alone as XML and has a viewBox: the page decides how large it is shown. Lengths are in its units,
// about a pixel each.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace effnet::report {

struct Axis {
  std::string title;
  bool log = false;                 // values of 0 and below are then left out
  std::optional<double> low, high;  // else from the data
  std::string unit;                 // behind each number: " %"
  bool whole = false;               // ticks at whole numbers only
};

struct Point {
  double x = 0, y = 0;
};

// Points that are not finite (or beyond 1e300) are gaps. Lines of more than 2000 points are thinned: of each run of
// neighbours the lowest and the highest stay.
struct Line {
  std::string name;  // empty: not in the legend
  std::vector<Point> points;
  int colour = 0;  // 0..3
  bool dashed = false;
  bool hints = true;                // a point tells its numbers under the pointer
  std::optional<std::size_t> mark;  // this point gets a ring
};

struct Bar {
  double x0 = 0, x1 = 0, y = 0;  // from the axis (or y = 0) to y
  std::string hint;              // under the pointer
};
struct Bars {
  std::string name;
  std::vector<Bar> bars;
  int colour = 0;
};

struct Chart {
  std::string title;  // for readers who do not see it
  int width = 560, height = 300;
  Axis x, y;
  std::vector<Bars> bars;  // below the lines
  std::vector<Line> lines;
};
std::string svg(const Chart& chart);

struct HeatCell {
  std::size_t row = 0, column = 0;
  double heat = 0;     // 0..1: how much of the colour
  bool alarm = false;  // the second colour
  std::string text;    // inside, if the cells are large enough
  std::string hint;
};
struct HeatMap {
  std::string title;
  std::string row_title, column_title;
  std::vector<std::string> rows, columns;  // labels
  std::vector<HeatCell> cells;             // those not named are empty
};
std::string svg(const HeatMap& map);

// Numbers at 1, 2 or 5 times a power of ten within [low, high], about `about` of them (at least one where there is any,
// at most twice as many). low <= high, both within +-1e300.
std::vector<double> nice_ticks(double low, double high, int about);
// The same of a log scale: powers of ten, or 1, 2, 5 times them where those are few. 0 < low <= high.
std::vector<double> nice_log_ticks(double low, double high, int about);
// "0.05", "12,000", "1e-6": as many digits as neighbours `step` apart need.
std::string tick_text(double value, double step);

}  // namespace effnet::report
