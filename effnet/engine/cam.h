// Class activation maps (Zhou et al. 2016; Tan & Le 2019, Figure 7). The map of class c is M_c(y, x) = sum over
// channels k of W[c, k] * f_k(y, x), where f is the input of the global pool and W the classifier's weight. The mean of
// M_c over all pixels plus the classifier's bias for class c equals logit c.
#pragma once

#include <span>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/shape.h"
#include "effnet/graph/graph.h"

namespace effnet::engine {

// Two nodes of a head that supports these maps: features -> global pool -> [dropout, identity] -> classifier.
struct CamHead {
  const graph::Node* features = nullptr;    // the node whose output is the feature map, C x H x W
  const graph::Node* classifier = nullptr;  // its parameter "<name>.weight" has the shape classes x C
};
// Finds these nodes in `graph`, which must outlive the result. Throws Error(usage) if the head has another form.
EFFNET_API CamHead cam_head(const graph::Graph& graph);

// Returns the map of one class: H x W values, summed in double. `features` is C x H x W of one image. `class_weights`
// has C values: the row of the classifier's weight for the class. Throws Error(usage) if the sizes do not match.
EFFNET_API std::vector<float> class_activation_map(std::span<const float> features, const Chw& shape,
                                                   std::span<const float> class_weights);

}  // namespace effnet::engine
