#include "effnet/engine/cam.h"

#include "effnet/base/error.h"

namespace effnet::engine {

CamHead cam_head(const graph::Graph& graph) {
  const Error refused =
      usage_error(
          "{} has no class activation map (got a different head, expected a global pool and a linear classifier)",
          graph.name)
          .with_hint("effnet cam --method gradcam works for every head");
  CamHead head;
  head.classifier = &graph.at(graph.logits);
  if (!std::holds_alternative<graph::Linear>(head.classifier->op)) throw refused;
  const graph::Node* node = &graph.at(head.classifier->inputs[0]);
  while (std::holds_alternative<graph::Dropout>(node->op) || std::holds_alternative<graph::Identity>(node->op)) {
    node = &graph.at(node->inputs[0]);
  }
  if (!std::holds_alternative<graph::GlobalPool>(node->op)) throw refused;
  head.features = &graph.at(node->inputs[0]);
  return head;
}

std::vector<float> class_activation_map(std::span<const float> features, const Chw& shape,
                                        std::span<const float> class_weights) {
  if (features.size() != static_cast<std::size_t>(shape.numel()) ||
      class_weights.size() != static_cast<std::size_t>(shape.c)) {
    throw usage_error(
        "class activation map: sizes do not match (got {} values and {} weights, expected {} x {} x {} values)",
        features.size(), class_weights.size(), shape.c, shape.h, shape.w);
  }
  const auto pixels = static_cast<std::size_t>(shape.pixels());
  std::vector<double> sums(pixels);
  for (std::size_t k = 0; k < class_weights.size(); ++k) {
    for (std::size_t p = 0; p < pixels; ++p) sums[p] += double{class_weights[k]} * features[k * pixels + p];
  }
  return {sums.begin(), sums.end()};
}

}  // namespace effnet::engine
