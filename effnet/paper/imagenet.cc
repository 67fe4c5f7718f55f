// Tables 1, 2 and 8: EfficientNets on ImageNet.
#include <fmt/format.h>

#include "effnet/arch/family.h"
#include "effnet/graph/lower.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

// The sums of the nodes whose names begin with `prefix`.
graph::NodeCosts sum_of(const graph::Graph& graph, std::string_view prefix) {
  graph::NodeCosts total;
  for (const graph::Node& node : graph.nodes) {
    if (!node.name.starts_with(prefix)) continue;
    const graph::NodeCosts one = graph::costs(graph, node);
    total.params += one.params;
    total.macs += one.macs;
  }
  return total;
}

struct StageRow {
  std::string operation;
  std::int64_t kernel, stride, resolution, channels, layers;  // resolution: of the input
  graph::NodeCosts costs;
};

// The stages of Table 1: stem, block stages, head.
std::vector<StageRow> stage_rows(const arch::ArchSpec& spec, const graph::Graph& graph) {
  std::vector<StageRow> rows;
  rows.push_back({fmt::format("Conv{0}x{0}", spec.stem.kernel), spec.stem.kernel, spec.stem.stride, graph.input().h,
                  spec.stem.channels, 1, sum_of(graph, "stem.")});
  std::int64_t resolution = graph.input().h / spec.stem.stride;
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    const arch::StageSpec& stage = spec.stages[i];
    rows.push_back({fmt::format("MBConv{0}, k{1}x{1}", stage.expand, stage.kernel), stage.kernel, stage.stride,
                    resolution, graph.stages[i].channels, graph.stages[i].repeats,
                    sum_of(graph, fmt::format("stages.{}.", i))});
    resolution = graph.stages[i].resolution.h;
  }
  graph::NodeCosts head = sum_of(graph, "head.");
  const graph::NodeCosts classifier = sum_of(graph, "classifier");
  rows.push_back({"Conv1x1, pooling, FC",
                  1,
                  1,
                  resolution,
                  spec.head.channels,
                  1,
                  {head.params + classifier.params, 0, head.macs + classifier.macs}});
  return rows;
}

// A ratio like the paper's: to the EfficientNet of the group.
Value ratio(std::int64_t value, std::int64_t base) { return static_cast<double>(value) / static_cast<double>(base); }

}  // namespace

Item table1(const Context&) {
  const arch::ArchSpec& spec = arch::variant("efficientnet_b0").spec;
  const std::vector<StageRow> computed = stage_rows(spec, graph::lower(spec));
  Table table{.columns = {{"name", "stage", Source::label, Align::left},
                          {"operator", "operator", Source::computed, Align::left},
                          {"paper.operator", "paper", Source::quoted, Align::left},
                          {"kernel", "kernel", Source::computed},
                          {"stride", "stride", Source::computed},
                          {"resolution", "input px", Source::computed},
                          {"paper.resolution", "paper", Source::quoted},
                          {"channels", "channels", Source::computed},
                          {"paper.channels", "paper", Source::quoted},
                          {"layers", "layers", Source::computed},
                          {"paper.layers", "paper", Source::quoted},
                          {"params", "params", Source::computed},
                          {"macs", "MACs", Source::computed}},
              .rows = {}};
  std::size_t i = 0;
  for (const PrintedStage& printed : printed_stages()) {
    const StageRow& row = computed.at(i++);
    table.rows.push_back({printed.stage, row.operation, printed.operation, row.kernel, row.stride, row.resolution,
                          printed.resolution, row.channels, printed.channels, row.layers, printed.layers,
                          row.costs.params, row.costs.macs});
  }
  return {.id = "table1",
          .title = "Table 1: EfficientNet-B0, stage by stage",
          .about =
              "The baseline network that the compound rule scales. The stride is that of a stage's first layer; "
              "the paper does not print strides. All other values of effnet are computed from its graph of B0.",
          .tables = {std::move(table)},
          .drawings = {},
          .notes = {"The first version of the paper prints 28 px for the input of stage 6; version 5 and the official "
                    "code have 14."}};
}

Item table2(const Context& context) {
  Table table{.columns = {{"name", "", Source::label},
                          {"paper.name", "network", Source::quoted, Align::left},
                          {"compared_with", "", Source::label},
                          {"params", "params", Source::computed},
                          {"paper.params", "paper", Source::quoted},
                          {"ratio.params", "ratio", Source::computed, Align::right, 1, "x"},
                          {"paper.params_ratio", "paper", Source::quoted},
                          {"macs", "MACs", Source::computed},
                          {"paper.macs", "paper", Source::quoted},
                          {"ratio.macs", "ratio", Source::computed, Align::right, 1, "x"},
                          {"paper.macs_ratio", "paper", Source::quoted},
                          {"paper.top1", "paper: top-1 %", Source::quoted},
                          {"paper.top5", "paper: top-5 %", Source::quoted},
                          {"top1", "measured: top-1 %", Source::measured},
                          {"note", "note", Source::label, Align::left}},
              .rows = {}};
  graph::Costs group{};
  std::string group_name;
  for (const PrintedImagenet& row : printed_imagenet()) {
    Value params, macs, params_ratio, macs_ratio, top1;
    std::string note;
    if (row.network != nullptr) {
      const arch::ArchSpec& spec = arch::variant(row.network).spec;
      const graph::Costs costs = costs_of(spec);
      if (spec.family == "efficientnet") {
        group = costs;
        group_name = row.network;
      }
      params = costs.params, macs = costs.macs;
      params_ratio = ratio(costs.params, group.params), macs_ratio = ratio(costs.macs, group.macs);
      top1 = measured_top1(context.results, spec);
      note = joined({disagreement("Parameters", row.params, costs.params), disagreement("MACs", row.macs, costs.macs)});
    }
    table.rows.push_back({row.network == nullptr ? row.title : row.network, row.title, group_name, params,
                          value_of(row.params), params_ratio, value_of(row.params_ratio), macs, value_of(row.macs),
                          macs_ratio, value_of(row.macs_ratio), value_of(row.top1), value_of(row.top5), top1,
                          note_of(note)});
  }
  return {.id = "table2",
          .title = "Table 2: accuracy and size on ImageNet",
          .about =
              "One model evaluated on one crop. Each ratio compares a network with the EfficientNet above it. Counts "
              "are computed for the networks that effnet has; the other rows are quoted.",
          .tables = {std::move(table)},
          .drawings = {},
          .notes = {"AmoebaNet-B has 1001 classes and 480 px; the paper prints no MACs for it."}};
}

Item table8(const Context& context) {
  Table table{.columns = {{"name", "network", Source::label, Align::left},
                          {"params", "params", Source::computed},
                          {"macs", "MACs", Source::computed},
                          {"paper.val_top1", "paper: val top-1 %", Source::quoted},
                          {"paper.test_top1", "paper: test top-1 %", Source::quoted},
                          {"paper.val_top5", "paper: val top-5 %", Source::quoted},
                          {"paper.test_top5", "paper: test top-5 %", Source::quoted},
                          {"top1", "measured: val top-1 %", Source::measured}},
              .rows = {}};
  for (const PrintedTest& row : printed_tests()) {
    const arch::ArchSpec& spec = arch::variant(row.network).spec;
    const graph::Costs costs = costs_of(spec);
    table.rows.push_back({row.network, costs.params, costs.macs, row.val_top1, row.test_top1, row.val_top5,
                          row.test_top5, measured_top1(context.results, spec)});
  }
  return {.id = "table8",
          .title = "Table 8: validation and test accuracy on ImageNet",
          .about = "The accuracy on the 50,000 validation images beside that of ImageNet's test server.",
          .tables = {std::move(table)},
          .drawings = {},
          .notes = {}};
}

}  // namespace effnet::paper
