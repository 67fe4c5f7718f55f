#include "effnet/report/network_boxes.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::report {
namespace {

BoxRows::Box box(std::string_view what, const Chw& out, std::optional<std::size_t> part) {
  return {std::sqrt(static_cast<double>(out.c)), static_cast<double>(out.h), part,
          fmt::format("{}: {} channels, {} px", what, out.c, out.h)};
}

// "mbconv, kernel 5, expansion 6, SE 0.25".
std::string block_text(const arch::StageSpec& stage) {
  std::string text = fmt::format("{}, kernel {}", stage.block, stage.kernel);
  if (stage.expand != 1) text += fmt::format(", expansion {}", stage.expand);
  if (stage.se > 0) text += fmt::format(", SE {}", stage.se);
  return text;
}

}  // namespace

std::vector<BoxRows::Box> network_boxes(const arch::ArchSpec& spec, const graph::Graph& graph,
                                        std::span<const std::size_t> parts, std::size_t first_stage) {
  EFFNET_CHECK(parts.size() == graph.stages.size() && spec.stages.size() == graph.stages.size());
  const graph::Node* stem = graph.find("stem.conv");
  EFFNET_CHECK(stem != nullptr);
  std::vector<BoxRows::Box> boxes{box("stem", stem->out, {})};
  for (std::size_t i = 0; i < graph.stages.size(); ++i) {
    const graph::Stage& stage = graph.stages[i];
    const std::string text = block_text(spec.stages[i]);
    for (std::int64_t block = 1; block <= stage.repeats; ++block) {
      boxes.push_back(box(fmt::format("stage {}, block {}, {}", i + first_stage, block, text),
                          {stage.channels, stage.resolution.h, stage.resolution.w}, parts[i]));
    }
  }
  boxes.push_back(box("head", graph.at(graph.features).out, {}));
  return boxes;
}

}  // namespace effnet::report
