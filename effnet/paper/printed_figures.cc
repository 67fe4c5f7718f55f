// Figures 1, 5 and 6: accuracy by size and by cost, drawn from the values of Tables 2 and 5.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

constexpr const char* kParamsAxis = "parameters in millions";

// The networks of Table 2 that are drawn in one colour: those whose title has one of these beginnings.
struct Series {
  const char* name;
  std::array<std::string_view, 4> beginnings;  // empty: not used
  bool joined = false;
};
constexpr std::array kSeries{
    Series{"EfficientNet", {"B"}, true},
    Series{"ResNet, ResNeXt, SENet", {"ResNet", "ResNeXt", "SENet"}},
    Series{"DenseNet", {"DenseNet"}},
    Series{"Inception, Xception, PolyNet", {"Inception", "Xception", "PolyNet"}},
    Series{"found by a search", {"NASNet", "PNASNet", "AmoebaNet", "GPipe"}},
};

const Series& series_of(const PrintedImagenet& row) {
  const std::string_view title = row.title;
  for (const Series& one : kSeries) {
    const auto fits = [&](std::string_view beginning) { return !beginning.empty() && title.starts_with(beginning); };
    if (std::ranges::any_of(one.beginnings, fits)) return one;
  }
  throw internal_error("no series has the network {}", title);
}

// What a figure draws the accuracy over.
struct Size {
  std::string key, column, axis;  // of the JSON document; titles of the column and of the axis
  Text PrintedImagenet::*printed;
  std::int64_t graph::Costs::*counted;
};

Table imagenet_table(const Size& size, const Results& results) {
  Table table{.columns = {{"name", "", Source::label},
                          {"paper.name", "network", Source::quoted, Align::left},
                          {"series", "colour", Source::label, Align::left},
                          {size.key, size.column, Source::computed},
                          {"paper." + size.key, "paper", Source::quoted},
                          {"paper.top1", "paper: top-1 %", Source::quoted},
                          {"top1", "measured: top-1 %", Source::measured}},
              .rows = {}};
  table.rows.reserve(printed_imagenet().size());
  for (const PrintedImagenet& row : printed_imagenet()) {
    Value counted, top1;
    if (row.network != nullptr) {
      const arch::ArchSpec& spec = arch::variant(row.network).spec;
      counted = costs_of(spec).*size.counted;
      top1 = measured_top1(results, spec);
    }
    table.rows.push_back({row.network == nullptr ? row.title : row.network, row.title, series_of(row).name, counted,
                          value_of(row.*size.printed), row.top1, top1});
  }
  return table;
}

// A chart whose axis of sizes is logarithmic: they go from 5 to 557 million.
report::Chart accuracy_chart(std::string title, std::string axis) {
  report::Chart chart;
  chart.title = std::move(title);
  chart.x = {.title = std::move(axis), .log = true, .low = {}, .high = {}, .unit = {}};
  chart.y = {.title = "top-1 accuracy", .low = {}, .high = {}, .unit = " %"};
  return chart;
}

report::Drawing imagenet_drawing(const Size& size) {
  report::Chart chart = accuracy_chart("top-1 accuracy on ImageNet by " + size.axis, size.axis);
  chart.height = 360;
  for (const Series& one : kSeries) {
    report::Line line{.name = one.name,
                      .points = {},
                      .colour = static_cast<int>(chart.lines.size()),
                      .dots = true,
                      .joined = one.joined};
    for (const PrintedImagenet& row : printed_imagenet()) {
      if (&series_of(row) != &one || row.*size.printed == nullptr) continue;
      line.points.push_back({parse_printed(row.*size.printed).value * 1e-6, parse_printed(row.top1).value});
      line.point_names.emplace_back(row.title);
    }
    chart.lines.push_back(std::move(line));
  }
  return {"Printed accuracy by printed " + size.column, report::svg(chart),
          fmt::format("Both numbers are quoted from Table 2. The axis of the {} is logarithmic.", size.column)};
}

// A network with its accuracy on a data set of Table 5.
struct Transferred {
  std::string_view dataset;
  PrintedModel printed;
  const arch::ArchSpec* ours = nullptr;  // null: another network than an EfficientNet
  std::int64_t classes = 0;
};

std::vector<Transferred> transferred() {
  std::vector<Transferred> all;
  all.reserve(2 * printed_transfers().size());
  for (const PrintedTransfer& row : printed_transfers()) {
    all.push_back({row.dataset, row.ours, &arch::variant(row.network).spec, row.classes});
    all.push_back({row.dataset, row.other, nullptr, row.classes});
  }
  return all;
}

std::int64_t counted_params(const Transferred& one) {
  return costs_of(*one.ours, one.classes).params_without_classifier;
}

// The networks of one data set as a line. EfficientNets have their computed size, because the paper does not print it
// beside DAT; other networks the printed one, and no point without it.
report::Line transfer_line(const std::vector<Transferred>& all, std::string_view dataset, bool ours) {
  report::Line line{.name = {}, .points = {}, .colour = ours ? 0 : 1, .dots = true, .joined = ours};
  for (const Transferred& one : all) {
    if (one.dataset != dataset || (one.ours != nullptr) != ours || (!ours && one.printed.params == nullptr)) continue;
    const double params = ours ? static_cast<double>(counted_params(one)) : parse_printed(one.printed.params).value;
    line.points.push_back({params * 1e-6, parse_printed(one.printed.accuracy).value});
    line.point_names.emplace_back(one.printed.name);
  }
  line.name = fmt::format("{}{}", ours ? "EfficientNet " : "", fmt::join(line.point_names, ", "));
  return line;
}

report::Drawing transfer_drawing(const std::vector<Transferred>& all, std::string_view dataset) {
  report::Chart chart = accuracy_chart(fmt::format("accuracy on {} by {}", dataset, kParamsAxis), kParamsAxis);
  chart.height = 220;
  chart.x.low = 3, chart.x.high = 700;  // the same for all data sets
  chart.y.title = "accuracy";
  chart.lines = {transfer_line(all, dataset, true), transfer_line(all, dataset, false)};
  return {std::string(dataset), report::svg(chart), {}};
}

}  // namespace

Item figure1(const Context& context) {
  const Size size{"params", "parameters", kParamsAxis, &PrintedImagenet::params, &graph::Costs::params};
  return {.id = "fig1",
          .title = "Figure 1: model size and accuracy on ImageNet",
          .about =
              "The paper draws the top-1 accuracy of EfficientNets and other networks by their number of parameters. "
              "Here are the networks of Table 2. The paper's drawing may have other ones too, for which it prints no "
              "numbers. Parameters are computed for the networks that effnet has.",
          .tables = {imagenet_table(size, context.results)},
          .drawings = {imagenet_drawing(size)},
          .notes = {}};
}

Item figure5(const Context& context) {
  const Size size{"macs", "MACs", kMacsAxis, &PrintedImagenet::macs, &graph::Costs::macs};
  return {.id = "fig5",
          .title = "Figure 5: MACs and accuracy on ImageNet",
          .about =
              "The same as Figure 1 by MACs, which the paper calls FLOPS. Here are the networks of Table 2. MACs are "
              "computed for the networks that effnet has.",
          .tables = {imagenet_table(size, context.results)},
          .drawings = {imagenet_drawing(size)},
          .notes = {"The paper prints no MACs for GPipe, so it is not drawn."}};
}

Item figure6(const Context&) {
  const std::vector<Transferred> all = transferred();
  Table table{.columns = {{"name", "", Source::label},
                          {"dataset", "data set", Source::label, Align::left},
                          {"paper.name", "network", Source::quoted, Align::left},
                          {"params", "params", Source::computed},
                          {"paper.params", "paper", Source::quoted},
                          {"paper.accuracy", "paper: %", Source::quoted}},
              .rows = {}};
  table.rows.reserve(all.size());
  std::vector<std::string_view> datasets;
  for (const Transferred& one : all) {
    const bool ours = one.ours != nullptr;
    table.rows.push_back({ours ? one.ours->name : one.printed.name, std::string(one.dataset), one.printed.name,
                          ours ? Value(counted_params(one)) : Value(), value_of(one.printed.params),
                          one.printed.accuracy});
    if (datasets.empty() || datasets.back() != one.dataset) datasets.push_back(one.dataset);
  }
  Item item{.id = "fig6",
            .title = "Figure 6: model size and transfer accuracy",
            .about =
                "The paper draws the accuracy on eight data sets by the number of parameters. Here are the networks of "
                "Table 5, whose accuracies are quoted. Parameters do not include the classifier. They are computed for "
                "EfficientNets and quoted for other networks. Their axis is logarithmic.",
            .tables = {std::move(table)},
            .drawings = {},
            .notes = {"The paper does not print the number of parameters of DAT, so DAT is not drawn."}};
  item.drawings.reserve(datasets.size());
  for (const std::string_view dataset : datasets) item.drawings.push_back(transfer_drawing(all, dataset));
  return item;
}

}  // namespace effnet::paper
