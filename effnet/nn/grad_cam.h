// Grad-CAM (Selvaraju et al. 2017): the regions of an image that raise the logit of a class, for any network and layer.
// With the layer's output A (K x h x w) and the logit y of the class, channel k has the weight a_k = the mean of
// dy / dA_k over all pixels, and the map is max(0, sum over k of a_k A_k). For the input of a global pool with a linear
// classifier, a_k = W[class, k] / (h w), so the map is the class activation map (engine/cam.h) without its negative
// values, divided by h w.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::nn {

struct GradCam {
  std::size_t class_index = 0;  // the class that the map shows
  std::vector<float> logits;
  Size size;
  std::vector<float> map;  // h x w, 0 or more
};

// Returns the node whose output the map shows: the node `layer`, or if `layer` is empty the last node whose output has
// more than one pixel. Throws Error(usage) if there is no such node, or if its output has one pixel only.
const graph::Node& grad_cam_layer(const graph::Graph& graph, std::string_view layer);

// `weights` are those of a model file of this graph, `image` is 3 x h x w, normalised. Without `class_index` the map
// shows the predicted class. Computes on the CPU with LibTorch's threads, batch norm in evaluation mode. Throws
// Error(usage) as grad_cam_layer(), and if the class is out of range; Error(input) if a weight is missing or a logit is
// not finite.
GradCam grad_cam(const graph::Graph& graph, const tensor::Weights& weights, std::span<const float> image,
                 std::string_view layer, std::optional<std::size_t> class_index);

}  // namespace effnet::nn
