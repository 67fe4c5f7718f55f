#include "effnet/report/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/error.h"

namespace effnet::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<std::string> texts(const std::vector<double>& ticks) {
  std::vector<std::string> all;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : ticks[0];
  for (const double tick : ticks) all.push_back(tick_text(tick, step));
  return all;
}

TEST(Ticks, AreNiceNumbers) {
  EXPECT_THAT(texts(nice_ticks(0, 1, 5)), ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(texts(nice_ticks(0.393, 0.412, 4)), ElementsAre("0.395", "0.400", "0.405", "0.410"));
  EXPECT_THAT(texts(nice_ticks(-3, 12, 3)), ElementsAre("0", "5", "10"));
  EXPECT_THAT(texts(nice_ticks(-7, 7, 3)), ElementsAre("\xE2\x88\x92"
                                                       "5",
                                                       "0", "5"));
  EXPECT_THAT(texts(nice_ticks(0, 25000, 3)), ElementsAre("0", "10,000", "20,000"));
  EXPECT_THAT(texts(nice_ticks(0, 3e-6, 3)), ElementsAre("0", "1e-6", "2e-6", "3e-6"));
  EXPECT_THAT(texts(nice_ticks(0, 4e9, 4)), ElementsAre("0", "1e9", "2e9", "3e9", "4e9"));
  EXPECT_THAT(nice_ticks(5, 5, 4), ElementsAre(5));
  EXPECT_THAT(texts(nice_log_ticks(0.02, 3, 5)), ElementsAre("0.02", "0.05", "0.10", "0.20", "0.50", "1.00", "2.00"));
  EXPECT_THAT(nice_log_ticks(1e-8, 1e8, 5), testing::SizeIs(testing::AllOf(testing::Ge(3U), testing::Le(10U))));
}

// For any range there is at least one tick, all ticks are inside, and their number is bounded.
TEST(Ticks, AreInsideAnyRangeAndNotTooMany) {
  for (const double low : {-1e300, -1e18, -3.7, -1e-30, 0.0, 1e-300, 0.1, 1234.5, 1e18}) {
    for (const double span : {0.0, 1e-320, 1e-17, 1e-9, 0.003, 1.0, 7.3, 1e12, 1e300}) {
      const double high = low + span;
      for (const int about : {2, 5, 10}) {
        const auto ticks = nice_ticks(low, high, about);
        ASSERT_GE(ticks.size(), 1U) << low << " " << high;
        ASSERT_LE(ticks.size(), 2 * static_cast<std::size_t>(about) + 1) << low << " " << high;
        for (const double tick : ticks) {
          EXPECT_GE(tick, low - 1e-6 * span) << low << " " << high;
          EXPECT_LE(tick, high + 1e-6 * span) << low << " " << high;
          EXPECT_LT(tick_text(tick, span).size(), 20U);
        }
        if (low <= 0) continue;
        const auto log_ticks = nice_log_ticks(low, high, about);
        ASSERT_GE(log_ticks.size(), 1U) << low << " " << high;
        ASSERT_LE(log_ticks.size(), 3 * static_cast<std::size_t>(about) + 1) << low << " " << high;
      }
    }
  }
}

Chart with(std::vector<Point> points) {
  Chart chart;
  chart.lines.push_back({"loss", std::move(points), 0, false, true, {}});
  return chart;
}

TEST(Chart, PointsHaveThePositionsOfTheirValues) {
  Chart chart = with({{0, 0}, {10, 5}, {20, 10}});
  chart.x.low = 0;
  chart.y.low = 0;
  const std::string text = svg(chart);
  // The y label "10" is 13.9 wide. So the x positions are 13.9 + 12 = 25.9 to 560 - 16 = 544. The y positions are 300 -
  // 24 = 276 (bottom) to 30 (top).
  EXPECT_THAT(text, HasSubstr("d=\"M25.9 276L285 153L544 30\""));
  EXPECT_THAT(text, HasSubstr("<title> 10: loss 5</title>"));
  chart.y.log = true;
  chart.y.low = {};
  chart.lines[0].points = {{0, 1}, {10, 10}, {20, 100}};
  EXPECT_THAT(svg(chart), HasSubstr(" 276L"));
  EXPECT_THAT(svg(chart), HasSubstr(" 153L"));  // on a log scale, 10 is in the middle of 1 and 100
}

TEST(Chart, ValuesThatAreNotFiniteAreGaps) {
  const std::string text = svg(with({{1, 1}, {2, 2}, {3, NAN}, {4, 2}, {5, INFINITY}, {6, 1}, {7, 2}}));
  EXPECT_EQ(times(text, "M"), times(svg(with({{1, 1}, {2, 2}, {6, 1}, {7, 2}})), "M") + 2);
  EXPECT_EQ(times(text, "class=\"dot"), 1U);  // the point between two gaps
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  EXPECT_THAT(text, Not(HasSubstr("inf")));
  EXPECT_THAT(svg(with({})), HasSubstr("nothing to show"));
  EXPECT_THAT(svg(with({{1, NAN}, {NAN, 1}})), HasSubstr("nothing to show"));
  Chart log = with({{1, 0}, {2, -1}});
  log.y.log = true;
  EXPECT_THAT(svg(log), HasSubstr("nothing to show"));
}

TEST(Chart, ExtremeNumbersGiveFinitePositions) {
  for (const auto& points : std::vector<std::vector<Point>>{
           {{0, 0}}, {{1, 1e300}, {2, -1e300}}, {{1, 1e-320}, {2, 1}}, {{1e300, 1}, {-1e300, 1}}, {{1, 7}, {2, 7}}}) {
    for (const bool log : {false, true}) {
      Chart chart = with(points);
      chart.y.log = log;
      const std::string text = svg(chart);
      EXPECT_THAT(text, Not(HasSubstr("nan")));
      EXPECT_THAT(text, Not(HasSubstr("\"inf")));
      EXPECT_LT(text.size(), 8000U);
    }
  }
}

TEST(Chart, ManyPointsAreThinnedToTheirExtremes) {
  std::vector<Point> points;
  for (int i = 0; i < 100000; ++i) points.push_back({static_cast<double>(i), i == 54321 ? 1000.0 : i % 7 * 1.0});
  const std::string text = svg(with(points));
  EXPECT_LT(text.size(), 60000U);
  EXPECT_THAT(text, HasSubstr(" 30L"));  // y = 30 is the top of the plot, so the highest point is drawn
}

TEST(Chart, NamesAreEscaped) {
  Chart chart = with({{1, 1}, {2, 2}});
  chart.title = chart.x.title = chart.lines[0].name = "<script>\"'&";
  chart.y.unit = "<b>";
  chart.bars.push_back({"<i>", {{1, 2, 2, "<u>"}}, 1});
  const std::string text = svg(chart);
  for (const char* raw : {"<script", "<b>", "<i>", "<u>", "&\""}) EXPECT_THAT(text, Not(HasSubstr(raw)));
  EXPECT_THAT(text, HasSubstr("&lt;script&gt;&quot;&#39;&amp;"));
}

TEST(HeatMap, DrawsCellsAndLabelsAndChecksIndices) {
  HeatMap map;
  map.title = "t";
  map.rows = map.columns = {"a", "<b>", "a name that is far too long to be shown whole"};
  map.cells = {{0, 2, 0.5, true, "7", "hint"}, {1, 1, 1, false, "9", ""}};
  const std::string text = svg(map);
  EXPECT_EQ(times(text, "<rect class=\"wrong\""), 1U);
  EXPECT_EQ(times(text, "<rect class=\"right\""), 1U);
  EXPECT_THAT(text, HasSubstr("<title>hint</title>"));
  EXPECT_THAT(text, HasSubstr("fill-opacity=\"0.5\""));
  EXPECT_THAT(text, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(text, HasSubstr("a name that is far to\xE2\x80\xA6"));
  map.cells = {{3, 0, 1, false, "", ""}};
  EXPECT_THROW(svg(map), Error);
  EXPECT_THROW(svg(HeatMap{}), Error);
}

TEST(Chart, ALongLegendHasSeveralRows) {
  Chart chart;
  for (int i = 0; i < 24; ++i)
    chart.lines.push_back(
        {.name = fmt::format("run {:02} of a long study", i), .points = {{0, 1}, {1, 2}}, .colour = i});
  const std::string text = svg(chart);
  // An entry is 26 + 24 letters * 0.58 * 12 + 18 = 211 wide, so two entries fit into 560: 12 rows of 18, and the chart
  // grows by 11 rows.
  EXPECT_THAT(text, HasSubstr("viewBox=\"0 0 560 498\""));
  EXPECT_EQ(times(text, " 210)\"><path class=\"line"), 2U);  // the last row: 12 * 18 - 6
}

TEST(StackedBars, LengthsAreInProportionToTheValues) {
  const std::string text =
      svg(StackedBars{"images", {"train", "<val>"}, {{"a & b", {30, 10}}, {"c", {20, 0}}, {"d", {0, 0}}}});
  // A label has 5 letters: 5 * 0.58 * 12 = 34.8 and a margin of 10; the number 40 takes 2 * 0.58 * 12 + 10 = 23.9. So
  // 40 images are 700 - 44.8 - 23.92 = 631.28 wide.
  EXPECT_THAT(text, HasSubstr("class=\"bar c0\" x=\"44.8\" y=\"30\" width=\"473.5\""));
  EXPECT_THAT(text, HasSubstr("class=\"bar c1\" x=\"518.3\" y=\"30\" width=\"157.8\""));
  EXPECT_THAT(text, HasSubstr("y=\"50\" width=\"315.6\""));
  EXPECT_THAT(text, HasSubstr("a &amp; b: train 30, &lt;val&gt; 10"));
  EXPECT_EQ(times(text, "<rect"), 2 + 3U);  // the legend and the bars that are not empty
  EXPECT_THAT(svg(StackedBars{}), HasSubstr("</svg>"));
}

TEST(Chart, DotsAndErrorBars) {
  Chart chart = with({{0, 1}, {10, 2}});
  EXPECT_EQ(times(svg(chart), "class=\"dot"), 0U);
  chart.lines[0].dots = true;
  chart.lines[0].spread = {{0.5, 1.5}, {2, 4}};
  const std::string text = svg(chart);
  EXPECT_EQ(times(text, "class=\"dot"), 2U);
  EXPECT_EQ(times(text, "class=\"spread c0\""), 1U);
  EXPECT_THAT(text, HasSubstr(">4<"));  // the axis contains the bars
  chart.lines[0].joined = false;
  EXPECT_EQ(times(svg(chart), "class=\"line"), 0U);
  chart.lines[0].spread.pop_back();
  EXPECT_THROW(svg(chart), Error);
}

// The title takes 18 units left of the ticks: the plot begins at 25.9 + 18 and ends at 544, as without a title.
TEST(Chart, TheYAxisHasItsTitleBesideIt) {
  Chart chart = with({{0, 0}, {10, 5}, {20, 10}});
  chart.x.low = 0;
  chart.y.low = 0;
  chart.y.title = "loss <nats>";
  const std::string text = svg(chart);
  EXPECT_THAT(text, HasSubstr("transform=\"translate(12 153) rotate(-90)\">loss &lt;nats&gt;</text>"));
  EXPECT_THAT(text, HasSubstr("d=\"M43.9 276L294 153L544 30\""));
  EXPECT_THAT(svg(with({{0, 0}, {1, 1}})), Not(HasSubstr("rotate")));
}

// What a hint calls its point: the point's own name, else the line's, else what the y axis shows.
TEST(Chart, HintsNameThePoint) {
  Chart chart = with({{1, 2}, {3, 4}});
  chart.x.title = "size";
  chart.y.title = "top-1";
  EXPECT_THAT(svg(chart), HasSubstr("<title>size 3: loss 4</title>"));
  chart.lines[0].point_names = {"first", "<second>"};
  EXPECT_THAT(svg(chart), HasSubstr("<title>size 3: &lt;second&gt; 4</title>"));
  chart.lines[0].point_names.pop_back();
  EXPECT_THROW(svg(chart), Error);
  chart.lines[0].point_names.clear();
  chart.lines[0].name.clear();
  EXPECT_THAT(svg(chart), HasSubstr("<title>size 3: top-1 4</title>"));
}

TEST(BoxRows, TheLegendNamesTheBoxesWithoutAPart) {
  BoxRows rows{.title = "t", .parts = {"one"}, .rows = {{"r", "", {{1, 1, {}, ""}, {1, 1, 0, ""}}}}};
  EXPECT_EQ(times(svg(rows), "class=\"neutral\""), 1U);  // the box only
  rows.neutral = "stem <and> head";
  const std::string text = svg(rows);
  EXPECT_EQ(times(text, "class=\"neutral\""), 2U);
  EXPECT_THAT(text, HasSubstr(">stem &lt;and&gt; head</text>"));
}

TEST(BoxRows, HaveOneScale) {
  BoxRows rows{.title = "a <b>", .parts = {"one", "two"}, .rows = {}};
  rows.rows.push_back({"x <y>", "detail", {{1, 10, 0, "first"}, {3, 5, 1, "second"}}});
  rows.rows.push_back({"z", "", {{2, 20, {}, "neutral"}}});
  const std::string text = svg(rows);
  // 998 of 1000 units for a width of 4, with a gap of 1 after each box; 110 units for a height of 20.
  EXPECT_THAT(text, HasSubstr("width=\"249.5\" height=\"55\"><title>first</title>"));
  EXPECT_THAT(text, HasSubstr("width=\"748.5\" height=\"27.5\"><title>second</title>"));
  EXPECT_THAT(text, HasSubstr("<rect class=\"neutral\" x=\"0\""));
  EXPECT_THAT(text, HasSubstr("width=\"499\" height=\"110\"><title>neutral</title>"));
  EXPECT_THAT(text, HasSubstr("x &lt;y&gt;"));
  EXPECT_THAT(svg(BoxRows{.title = "none", .parts = {}, .rows = {}}), HasSubstr("</svg>"));
  rows.rows[0].boxes[0].part = 2;
  EXPECT_THROW(svg(rows), Error);
}

TEST(SvgFile, HasStylesAndDrawingsBelowEachOther) {
  const std::string first = svg(with({{0, 1}, {1, 2}})), second = svg(BoxRows{"t", {}, {{"r", "", {{1, 1, {}, ""}}}}});
  const std::string file = svg_file("a <title>", {{"one & two", first, "a caption"}, {"three", second}});
  EXPECT_TRUE(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1048 "));
  EXPECT_THAT(file, HasSubstr("<title>a &lt;title&gt;</title>"));
  EXPECT_THAT(file, HasSubstr("one &amp; two"));
  EXPECT_THAT(file, HasSubstr("a caption"));
  EXPECT_THAT(file, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(file, HasSubstr("svg .c0 { color: #0072b2; color: var(--c0); }"));  // for programs without variables
  EXPECT_THAT(file, Not(HasSubstr("table {")));                                   // only the styles of plots
  EXPECT_EQ(times(file, "<svg"), times(file, "</svg>"));
  // A caption is nearer to its drawing than to the next heading: the title takes 24 + 12, the heading 34, the drawing
  // 300 and the caption 18 units, which is 388; then follow 16 and the next heading's line at 34 - 12.
  EXPECT_THAT(file, HasSubstr("y=\"388\">a caption"));
  EXPECT_THAT(file, HasSubstr("y=\"426\">three"));
  EXPECT_THROW(svg_file("t", {{"x", "<p>", ""}}), Error);
}

}  // namespace
}  // namespace effnet::report
