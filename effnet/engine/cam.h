// Class activation maps (Zhou et al. 2016; Tan & Le 2019, Figure 7): M_c(y, x) = sum over k of W[c, k] * f_k(y, x). f
// is the input of the global pool, W the classifier's weight. The mean of M_c over all pixels plus the classifier's
// bias equals logit c.
#pragma once

#include <span>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/shape.h"
#include "effnet/graph/graph.h"

namespace effnet::engine {

// The two nodes of a head that supports these maps: classifier <- [dropout, identity] <- global pool <- features.
struct CamHead {
  const graph::Node* features = nullptr;    // the node whose output is the feature map, C x H x W
  const graph::Node* classifier = nullptr;  // its parameter "<name>.weight" has the shape classes x C
};
// The result points into `graph`. Throws Error(usage) if the head has another form.
EFFNET_API CamHead cam_head(const graph::Graph& graph);

// features: C x H x W of one image. class_weights: C values, the row of the classifier's weight for the class. Returns
// H x W values, summed in double. Throws Error(usage) if the sizes do not match.
EFFNET_API std::vector<float> class_activation_map(std::span<const float> features, const Chw& shape,
                                                   std::span<const float> class_weights);

}  // namespace effnet::engine
