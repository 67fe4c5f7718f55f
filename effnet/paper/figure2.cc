// Figure 2: the kinds of scaling, drawn from the graphs.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "effnet/base/text.h"
#include "effnet/graph/lower.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

constexpr std::size_t kStagesOfB0 = 7;

// A box for each layer: as high as its output in pixels, as wide as the root of its channels. The stages are the parts;
// stem and head have a neutral colour.
std::vector<report::BoxRows::Box> boxes_of(const arch::ArchSpec& spec, const graph::Graph& graph) {
  std::vector<report::BoxRows::Box> boxes;
  const auto add = [&](const std::string& what, std::int64_t channels, std::int64_t px,
                       std::optional<std::size_t> part) {
    boxes.push_back({std::sqrt(static_cast<double>(channels)), static_cast<double>(px), part,
                     fmt::format("{}: {} channels, {} px", what, channels, px)});
  };
  add("stem", spec.stem.channels, graph.stages.front().resolution.h, {});
  for (std::size_t i = 0; i < graph.stages.size(); ++i) {
    const graph::Stage& stage = graph.stages[i];
    for (std::int64_t block = 0; block < stage.repeats; ++block)
      add(fmt::format("stage {}, block {}", i + 2, block + 1), stage.channels, stage.resolution.h, i);
  }
  add("head", spec.head.channels, graph.stages.back().resolution.h, {});
  return boxes;
}

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
  for (std::size_t i = 0; i < kStagesOfB0; ++i) drawing.parts.push_back(fmt::format("stage {}", i + 2));
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
                     spec.resolution, blocks, grouped(costs.params), in_billions(costs.macs)),
         boxes_of(spec, graph)});
  }
  return {.id = "fig2",
          .title = "Figure 2: the kinds of scaling",
          .about =
              "The paper draws a network that is scaled in width, depth, resolution, and in all three. Here the "
              "networks are those of Table 7, drawn from their graphs.",
          .tables = {std::move(table)},
          .drawings = {{"B0 and its scalings", report::svg(drawing),
                        "One box for each layer, from the input to the head. The height is the layer's output size in "
                        "pixels, the width is the root of its channels. All rows have the same scale."}},
          .notes = {}};
}

}  // namespace effnet::paper
