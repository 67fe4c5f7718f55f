// Figures 3, 4 and 8: counts of B0 scaled in different ways.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

constexpr Text kB0 = "efficientnet_b0";
constexpr double kBasePixels = 224;
constexpr std::int64_t kMostMacs = 5'000'000'000;  // the axis of the paper's Figure 8 ends there

std::int64_t pixels(double ratio) { return static_cast<std::int64_t>(std::floor(kBasePixels * ratio)); }

// A scaling of B0.
struct Step {
  std::string rule;        // "width", "depth", "resolution" or "compound"
  double coefficient = 0;  // as printed; 0: more than one dimension is scaled
  Network network;
  arch::ArchSpec spec;
  graph::Costs costs;
};

Step step(std::string rule, double coefficient, const Network& network) {
  arch::ArchSpec spec = spec_of(network);
  const graph::Costs costs = costs_of(spec);
  return {std::move(rule), coefficient, network, std::move(spec), costs};
}

std::vector<Step> one_dimension() {
  std::vector<Step> steps;
  steps.reserve(kFigure3Widths.size() + kFigure3Depths.size() + kFigure3Resolutions.size());
  for (const double w : kFigure3Widths) steps.push_back(step("width", w, {kB0, 1, w}));
  for (const double d : kFigure3Depths) steps.push_back(step("depth", d, {kB0, d}));
  for (const double r : kFigure3Resolutions) steps.push_back(step("resolution", r, {kB0, 1, 1, pixels(r)}));
  return steps;
}

report::Line counted_line(std::string name, int colour) {
  return {.name = std::move(name), .points = {}, .colour = colour, .dots = true};
}

// MACs over the coefficient, with the curve that the cost model of section 3.3 predicts.
report::Drawing cost_drawing(const std::string& rule, const std::string& letter, int power) {
  report::Line counted = counted_line("counted", 0);
  report::Line ideal{.name = power == 2 ? "B0 times " + letter + "\xC2\xB2" : "B0 times " + letter,
                     .points = {},
                     .colour = 6,
                     .dashed = true,
                     .hints = false};
  for (const Step& one : one_dimension()) {
    if (one.rule == rule) counted.points.push_back({one.coefficient, millions(one.costs.macs)});
  }
  const report::Point first = counted.points.front();
  const double last = counted.points.back().x;
  constexpr int kParts = 40;
  for (int i = 0; i <= kParts; ++i) {
    const double x = first.x + (last - first.x) * i / kParts;
    ideal.points.push_back({x, first.y * std::pow(x / first.x, power)});
  }
  report::Chart chart;
  chart.title = fmt::format("MACs of B0 by {}", rule);
  chart.height = 260;
  chart.x.title = fmt::format("{} {}", rule, letter);
  chart.y.title = kMacsAxis;
  chart.y.low = 0;
  chart.lines = {std::move(ideal), std::move(counted)};
  return {fmt::format("MACs by {}", rule), report::svg(chart), {}};
}

// The top-1 accuracy that Table 7 or Table 2 prints for the network.
struct PrintedTop1 {
  Text top1 = nullptr, from = nullptr;
};
PrintedTop1 printed_top1(const arch::ArchSpec& spec) {
  for (const PrintedImagenet& row : printed_imagenet()) {
    if (row.network != nullptr && spec.name == row.network) return {row.top1, "Table 2"};
  }
  for (const PrintedScaling& row : printed_cam()) {
    if (spec_of(row.network).name == spec.name) return {row.top1, "Table 7"};
  }
  return {};
}

void append(std::vector<report::Drawing>& drawings, std::vector<report::Drawing> more) {
  std::ranges::move(more, std::back_inserter(drawings));
}

constexpr const char* kNoAccuracies =
    "The paper draws the accuracy as curves without numbers, so it is not shown here.";

std::vector<Column> columns() {
  return {{"name", "", Source::label},
          {"rule", "scaled", Source::label, Align::left},
          {"paper.coefficient", "paper", Source::quoted, Align::left},
          {"depth", "d", Source::computed, Align::right, 1},
          {"width", "w", Source::computed, Align::right, 1},
          {"resolution", "px", Source::computed},
          {"params", "params", Source::computed},
          {"macs", "MACs", Source::computed},
          {"macs_ratio", "times B0", Source::computed, Align::right, 2, "x"},
          {"paper.top1", "paper: top-1 %", Source::quoted},
          {"paper.from", "paper: from", Source::quoted, Align::left},
          {"top1", "measured: top-1 %", Source::measured}};
}

std::vector<Value> row_of(const Step& one, const Results& results) {
  const PrintedTop1 printed = printed_top1(one.spec);
  const auto base = static_cast<double>(costs_of(spec_of({kB0})).macs);
  return {one.spec.name,
          one.rule,
          note_of(one.coefficient == 0 ? "" : fmt::format("{}={:.1f}", one.rule.front(), one.coefficient)),
          one.network.depth,
          one.network.width,
          one.spec.resolution,
          one.costs.params,
          one.costs.macs,
          static_cast<double>(one.costs.macs) / base,
          value_of(printed.top1),
          value_of(printed.from),
          measured_top1(results, one.spec)};
}

// The rows of B0 to B4 in Table 2.
std::vector<PrintedImagenet> family_rows() {
  std::vector<PrintedImagenet> rows;
  for (const PrintedImagenet& row : printed_imagenet()) {
    if (row.network == nullptr || arch::variant(row.network).base != kB0) continue;
    if (costs_of(arch::variant(row.network).spec).macs <= kMostMacs) rows.push_back(row);
  }
  return rows;
}

// The accuracies that Tables 2 and 7 print, over computed MACs. They are those of the item's table: all lines begin at
// the accuracy that Table 2 prints for B0, not at Table 7's, which no other table has.
report::Drawing printed_drawing() {
  const auto point = [](const Network& network) {
    const arch::ArchSpec spec = spec_of(network);
    return report::Point{millions(costs_of(spec).macs), parse_printed(printed_top1(spec).top1).value};
  };
  report::Chart chart;
  chart.title = "top-1 accuracy that the paper prints, by MACs";
  chart.x = {.title = kMacsAxis, .low = 0, .high = {}, .unit = {}};
  chart.y = {.title = "top-1 accuracy", .low = {}, .high = {}, .unit = " %"};
  const PrintedScaling& base = printed_cam().front();
  for (const PrintedScaling& row : printed_cam().subspan(1)) {
    const bool compound = row.network.depth != 1 && row.network.width != 1;
    const char* rule = compound                 ? "compound"
                       : row.network.depth != 1 ? "depth"
                       : row.network.width != 1 ? "width"
                                                : "resolution";
    report::Line line = counted_line(fmt::format("{} (Table 7)", rule), static_cast<int>(chart.lines.size()));
    line.points = {point(base.network), point(row.network)};
    chart.lines.push_back(std::move(line));
  }
  report::Line family = counted_line("B0 to B4 (Table 2)", static_cast<int>(chart.lines.size()));
  for (const PrintedImagenet& row : family_rows()) family.points.push_back(point({row.network}));
  chart.lines.push_back(std::move(family));
  return {"Printed accuracy by computed MACs", report::svg(chart),
          "Accuracies are quoted from Tables 2 and 7; MACs are computed."};
}

}  // namespace

Item figure3(const Context& context) {
  Table table{.columns = columns(), .rows = {}};
  for (const Step& one : one_dimension()) table.rows.push_back(row_of(one, context.results));
  const std::vector<std::string> rules{"base", "width", "depth", "resolution"};
  Item item{
      .id = "fig3",
      .title = "Figure 3: B0 scaled in one dimension",
      .about = fmt::format("B0 with a larger width, depth or resolution. {} The MACs of the networks are computed: "
                           "they grow about linearly with the depth and with the square of width and resolution. The "
                           "resolution is floor(224 r).",
                           kNoAccuracies),
      .tables = {std::move(table), measured_table(context.results, rules)},
      .drawings = {cost_drawing("width", "w", 2), cost_drawing("depth", "d", 1), cost_drawing("resolution", "r", 2)},
      .notes = {"The depth is rounded up stage by stage; stem and head have one layer at every depth."}};
  append(item.drawings, measured_drawings(context.results, rules));
  return item;
}

Item figure4(const Context&) {
  Table table{.columns = {{"name", "", Source::label},
                          {"depth", "d", Source::computed, Align::right, 1},
                          {"paper.r", "r", Source::quoted},
                          {"width", "w", Source::computed, Align::right, 1},
                          {"resolution", "px", Source::computed},
                          {"params", "params", Source::computed},
                          {"macs", "MACs", Source::computed}},
              .rows = {}};
  report::Chart chart;
  chart.title = "MACs by width on four bases";
  chart.x.title = "width w";
  chart.y = {.title = kMacsAxis, .low = 0, .high = {}, .unit = {}};
  for (const PrintedBase& base : kFigure4Bases) {
    report::Line line = counted_line(fmt::format("d={:.1f} r={}", base.depth, base.resolution_ratio),
                                     static_cast<int>(chart.lines.size()));
    for (const double w : kFigure3Widths) {
      const arch::ArchSpec spec = spec_of({kB0, base.depth, w, base.resolution});
      const graph::Costs costs = costs_of(spec);
      table.rows.push_back(
          {spec.name, base.depth, base.resolution_ratio, w, base.resolution, costs.params, costs.macs});
      line.points.push_back({w, millions(costs.macs)});
    }
    chart.lines.push_back(std::move(line));
  }
  return {
      .id = "fig4",
      .title = "Figure 4: width scaled on four bases",
      .about = fmt::format("B0 by width, with other depths and resolutions. {} The bases are the printed ones. The "
                           "paper does not print the widths; those of Figure 3 are used.",
                           kNoAccuracies),
      .tables = {std::move(table)},
      .drawings = {{"MACs by width", report::svg(chart), {}}},
      .notes = {"The paper counts 18 layers for d=1 (stem, 16 blocks, head) and 36 for d=2. Scaled stage by stage, B0 "
                "has 32 blocks for d=2, so 34 such layers."}};
}

Item figure8(const Context& context) {
  std::vector<Step> steps = one_dimension();
  steps.push_back(step("width", 2, {kB0, 1, 2}));
  steps.push_back(step("resolution", 2, {kB0, 1, 1, 448}));
  for (const PrintedImagenet& row : family_rows()) {
    Step& one = steps.emplace_back(step("compound", 0, {row.network}));
    one.network.depth = arch::variant(row.network).depth;  // the published coefficients, for the table
    one.network.width = arch::variant(row.network).width;
  }
  steps.push_back(step("compound", 0, printed_cam().back().network));
  std::erase_if(steps, [](const Step& one) { return one.costs.macs > kMostMacs; });
  std::ranges::stable_sort(steps, {}, [](const Step& one) { return one.costs.macs; });
  Table table{.columns = columns(), .rows = {}};
  for (const char* rule : {"depth", "width", "resolution", "compound"}) {
    for (const Step& one : steps) {
      if (one.rule == rule) table.rows.push_back(row_of(one, context.results));
    }
  }
  Item item{
      .id = "fig8",
      .title = "Figure 8: B0 scaled in each way",
      .about =
          "The paper shows that compound scaling is up to 2.5 points better than one dimension at the same MACs. "
          "It draws curves without numbers. Here are the networks of Figure 3, Table 7 and B0 to B4 up to 5 G "
          "MACs, with the accuracies that Tables 2 and 7 print for some of them.",
      .tables = {std::move(table), measured_table(context.results, {})},
      .drawings = {printed_drawing()},
      .notes = {
          "Table 7 prints 77.3 for B0. Table 2 prints 77.1 and Table 8 prints 77.11, so 77.1 is listed and drawn here.",
          "Table 7 prints 81.1 for the network with the depth and width of B3, which is B3's accuracy in the first "
          "version of the paper. Table 2 prints 81.6 for B3."}};
  append(item.drawings, measured_drawings(context.results, {}));
  return item;
}

}  // namespace effnet::paper
