// Figure 2: the kinds of scaling, drawn from the graphs.
#include <fmt/format.h>

#include <array>
#include <numeric>

#include "effnet/base/text.h"
#include "effnet/graph/lower.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"
#include "effnet/report/network_boxes.h"

namespace effnet::paper {
namespace {

constexpr std::size_t kStagesOfB0 = 7, kFirstStage = 2;  // stage 1 of Table 1 is the stem

}  // namespace

Item figure2(const Context&) {
  static constexpr Text kKinds[] = {"(a) baseline", "(b) width", "(c) depth", "(d) resolution", "(e) compound"};
  static constexpr std::size_t kOrder[] = {0, 2, 1, 3, 4};  // rows of Table 7, in the figure's order
  Table table{.columns = {{"name", "", Source::label},
                          {"kind", "scaled", Source::label, Align::left},
                          {"depth", "d", Source::computed, Align::right, 1},
                          {"width", "w", Source::computed, Align::right, 1},
                          {"resolution", "px", Source::computed},
                          {"blocks", "blocks", Source::computed},
                          {"params", "params", Source::computed},
                          {"macs", "MACs", Source::computed}},
              .rows = {}};
  report::BoxRows drawing;
  drawing.title = "B0 scaled by width, depth, resolution and all three";
  drawing.neutral = report::kStemAndHead;
  std::array<std::size_t, kStagesOfB0> parts{};  // each stage is a part
  std::iota(parts.begin(), parts.end(), std::size_t{0});
  for (const std::size_t part : parts) drawing.parts.push_back(fmt::format("stage {}", part + kFirstStage));
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    const Network& network = printed_cam()[kOrder[i]].network;
    const arch::ArchSpec spec = spec_of(network);
    const graph::Graph graph = graph::lower(spec);
    const graph::Costs costs = graph::costs(graph);
    std::int64_t blocks = 0;
    for (const graph::Stage& stage : graph.stages) blocks += stage.repeats;
    table.rows.push_back(
        {spec.name, kKinds[i], network.depth, network.width, spec.resolution, blocks, costs.params, costs.macs});
    drawing.rows.push_back(
        {kKinds[i],
         fmt::format("d={} w={} at {} px: {} blocks, {} parameters, {} MACs", network.depth, network.width,
                     spec.resolution, blocks, grouped(costs.params), grouped(costs.macs)),
         report::network_boxes(spec, graph, parts, kFirstStage)});
  }
  return {.id = "fig2",
          .title = "Figure 2: the kinds of scaling",
          .about =
              "The paper draws a network that is scaled in width, depth, resolution, and in all three. Here the "
              "networks are those of Table 7, drawn from their graphs.",
          .tables = {std::move(table)},
          .drawings = {{"B0 and its scalings", report::svg(drawing), std::string(report::kBoxesMeaning)}},
          .notes = {}};
}

}  // namespace effnet::paper
