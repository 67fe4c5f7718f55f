// A plan while it is made: what the maker of a step (steps/makers.h) can ask, and how it adds the step.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/engine/plan/fuse.h"
#include "effnet/engine/plan/plan.h"
#include "effnet/engine/steps/step.h"
#include "effnet/engine/weights/layout.h"

namespace effnet::engine {

// A layer's packed weights, and what is applied to its outputs.
struct PackedLayer {
  primitives::PackedShape shape{};    // of a GEMM's weights
  std::int64_t weight = 0, bias = 0;  // bytes from the start of the packed weights
  EpilogueParams activation;
};

class Planner {
 public:
  Planner(const graph::Graph& graph, const PackedWeights& weights, std::int64_t batch, const PlanOptions& options,
          const std::vector<NodeId>& keep);
  Plan plan();

  const graph::Graph& graph() const { return graph_; }
  const kernels::Target& target() const { return weights_.target(); }
  const kernels::KernelSet& set() const { return set_; }
  std::int64_t batch() const { return batch_; }
  BlockedShape shape_of(NodeId id) const { return {batch_, graph_.at(id).out}; }
  // Of a convolution or a pool.
  Window window_of(NodeId id) const;
  // The input of the GEMM that a convolution or linear layer is; `in` is the node it reads.
  GemmSource source_of(NodeId layer, NodeId in) const;
  // Of a convolution with groups = 1 or a linear layer.
  PackedLayer gemm_layer(NodeId layer, graph::Activation activation) const;
  // Of any layer that has weights: without the shape.
  PackedLayer layer(NodeId layer, graph::Activation activation = graph::Activation::none) const;
  // "f32_map_avx2".
  std::string kernel_name(std::string_view what) const { return kernels::kernel_name(target(), what); }

  // The kernel that most of the products of `pixels` pixels with the layer's first panel run.
  std::string gemm_kernel(const PackedLayer& layer, std::int64_t pixels) const;

  // What the unit reads: the image's rows where its first layer is packed for them, else its first input.
  BufferId input(const FusedOp& op) const { return reads_image(op) ? plan_.image : buffer(op.inputs[0]); }
  BufferId buffer(NodeId id) const;  // of a node that a step has made
  BufferId new_buffer(std::int64_t bytes);
  BufferId output(NodeId id) { return buffer_of(id) = new_buffer(shape_of(id).bytes(kValueBytes)); }
  // The output buffer of a step that reads each value of `operand` (or kNone) right before it writes the same place. It
  // is the buffer of `operand` if no later step reads that, and it is not `other`, which the step reads in another
  // order; else a new one.
  BufferId output_in_place(NodeId out, NodeId operand, BufferId other = kNoBuffer);

  // Sums over the pixels that a depthwise step makes of its output for the global pool behind it:
  // [block][image][band][16].
  struct Sums {
    BufferId buffer = kNoBuffer;
    std::int64_t bands = 0;
  };
  Sums& sums(NodeId global_pool) { return sums_[global_pool]; }

  struct StepDescription {
    NodeId out = kNone;
    std::string kernel;
    std::vector<BufferId> reads = {};
    BufferId writes = kNoBuffer;
    std::vector<NodeId> layers = {};  // whose products it computes and whose weights it reads
  };
  void add(std::unique_ptr<Step> step, StepDescription description);

 private:
  static constexpr std::int64_t kValueBytes = sizeof(float);  // of an activation

  BufferId& buffer_of(NodeId id) { return buffer_of_[static_cast<std::size_t>(id)]; }
  bool reads_image(const FusedOp& op) const;
  bool dies_here(NodeId id) const;
  void make_image();
  void publish(NodeId id);
  void finish();

  const graph::Graph& graph_;
  const PackedWeights& weights_;
  const kernels::KernelSet& set_;
  std::int64_t batch_;
  const std::vector<NodeId>& keep_;
  std::vector<FusedOp> ops_;
  std::size_t op_ = 0;                 // the one that is made
  std::vector<BufferId> buffer_of_;      // by node
  std::vector<std::int64_t> last_op_;  // by node: the last op that reads it
  std::map<NodeId, Sums> sums_;
  Plan plan_;
};

}  // namespace effnet::engine
