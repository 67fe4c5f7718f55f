// A supernet: one set of weights for all networks of a search space (Guo et al., ECCV 2020, "Single Path One-Shot
// Neural Architecture Search with Uniform Sampling"). A network of the space, called a child, has no weights of its
// own: it reads slices of the supernet's tensors.
//
// The supernet has one tensor for each parameter of each block, with the most channels and the largest kernel that a
// child can have there. A child takes the first channels and the centre of the kernel (as in Cai et al., ICLR 2020,
// "Once-for-All"). Blocks of different kinds have different tensors. The child's parameter
// "stages.2.1.expand.conv.weight" is the supernet's "stages.2.1.KIND.expand.conv.weight"; stem, head and classifier
// have the same names in both.
//
// The moving statistics of the supernet's batch norms mix all children and are not used: each child gets statistics of
// its own before it is evaluated (supernet_evaluator.h).
#pragma once

#include <memory>
#include <string>

#include "effnet/arch/spec.h"
#include "effnet/graph/graph.h"
#include "effnet/nn/network.h"
#include "effnet/search/space/space.h"

namespace effnet::lab {

// The nodes of all children that have parameters, with their largest sizes, in the order stem, stages, head,
// classifier. It is a list of parameters in the form of a Graph, which the code that makes, trains and stores weights
// reads. It cannot be run: the nodes are not connected. The image size and the classes are those of space.base.
graph::Graph supernet_graph(const search::Space& space);

// The name in the supernet of a parameter of `child`.
std::string supernet_name(const arch::ArchSpec& child, std::string_view parameter);

// The parameters of one child: slices of the supernet's tensors.
class ChildSource final : public nn::ParameterSource {
 public:
  // `store`: has the parameters of supernet_graph() of the space that `child` belongs to.
  ChildSource(arch::ArchSpec child, std::shared_ptr<const nn::ParameterStore> store)
      : child_(std::move(child)), store_(std::move(store)) {}
  torch::Tensor at(const graph::Parameter& parameter) const override;

 private:
  arch::ArchSpec child_;
  std::shared_ptr<const nn::ParameterStore> store_;
};

// Copies of the child's tensors, by the names of a model file. The moving statistics are those of a new network: means
// 0, variances 1.
tensor::Weights child_weights(const arch::ArchSpec& child, const std::shared_ptr<const nn::ParameterStore>& store);

}  // namespace effnet::lab
