// Class activation maps (Zhou et al. 2016; Tan & Le 2019, Figure 7): M_c(y, x) = sum over k of W[c, k] * f_k(y, x),
// with f what the global pool reads and W the classifier's weight. The mean of M_c plus the classifier's bias is logit
// c.
#pragma once

#include <span>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/shape.h"
#include "effnet/graph/graph.h"

namespace effnet::engine {

// The two ends of a head that has such maps: classifier <- [dropout, identity] <- global pool <- features.
struct CamHead {
  const graph::Node* features = nullptr;    // its output is the feature map, C x H x W
  const graph::Node* classifier = nullptr;  // "<name>.weight" is classes x C
};
// Points into `graph`. Throws Error(usage) if the head is of another form.
EFFNET_API CamHead cam_head(const graph::Graph& graph);

// features: C x H x W of one image; class_weights: the classifier's row for the class, C values. Returns H x W, summed
// in double. Throws Error(usage) if the sizes differ.
EFFNET_API std::vector<float> class_activation_map(std::span<const float> features, const Chw& shape,
                                                   std::span<const float> class_weights);

}  // namespace effnet::engine
