// Builds a plan. The functions make_* of steps/makers.h query the Planner and add their steps to it.
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

// Where a layer's packed weights are, and the epilogue of its outputs.
struct PackedLayer {
  primitives::PackedShape shape{};    // of a GEMM's weights
  std::int64_t weight = 0, bias = 0;  // offsets in bytes from the start of the packed weights
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
  // Returns the window of a convolution or pool.
  Window window_of(NodeId id) const;
  // Returns the input of the GEMM that computes a convolution or linear layer; `in` is the node that the GEMM reads.
  GemmSource source_of(NodeId layer, NodeId in) const;
  // Returns the packed layer of a convolution with groups = 1 or of a linear layer.
  PackedLayer gemm_layer(NodeId layer, graph::Activation activation) const;
  // Returns the packed layer of any node that has weights; its shape is not set.
  PackedLayer layer(NodeId layer, graph::Activation activation = graph::Activation::none) const;
  // Returns, for example, "f32_map_avx2".
  std::string kernel_name(std::string_view what) const { return kernels::kernel_name(target(), what); }

  // Returns the name of the kernel for the first tile of a GEMM over `pixels` pixels with the first panel of the layer.
  std::string gemm_kernel(const PackedLayer& layer, std::int64_t pixels) const;

  // Returns the buffer that the op reads: the HWC rows of the network's input if the weights of the op's first layer
  // are packed for these rows, else the buffer of the op's first input.
  BufferId input(const FusedOp& op) const { return reads_image(op) ? plan_.image : buffer(op.inputs[0]); }
  BufferId buffer(NodeId id) const;  // of a node that a step has computed
  BufferId new_buffer(std::int64_t bytes);
  BufferId output(NodeId id) { return buffer_of(id) = new_buffer(shape_of(id).bytes(kValueBytes)); }
  // Returns the output buffer of a step that reads each value of `operand` immediately before it writes the output
  // value at the same place: the buffer of `operand` if no later step reads it, else a new buffer. Also returns a new
  // buffer if `operand` is kNone, or if its buffer is `other`, an input that the step reads in another order.
  BufferId output_in_place(NodeId out, NodeId operand, BufferId other = kNoBuffer);

  // The sums of its output that a depthwise step computes for the global pool after it: [block][image][band][16].
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
    std::vector<NodeId> layers = {};  // the layers whose weights the step reads and whose multiply-adds it computes
  };
  void add(std::unique_ptr<Step> step, StepDescription description);

 private:
  static constexpr std::int64_t kValueBytes = sizeof(float);  // of one activation value

  BufferId& buffer_of(NodeId id) { return buffer_of_[static_cast<std::size_t>(id)]; }
  bool reads_image(const FusedOp& op) const;
  bool is_last_reader(NodeId id) const;
  void make_image();
  void publish(NodeId id);
  void finish();

  const graph::Graph& graph_;
  const PackedWeights& weights_;
  const kernels::KernelSet& set_;
  std::int64_t batch_;
  const std::vector<NodeId>& keep_;
  std::vector<FusedOp> ops_;
  std::size_t op_ = 0;                 // the op that is being planned
  std::vector<BufferId> buffer_of_;    // by node
  std::vector<std::int64_t> last_op_;  // by node: the last op that reads it
  std::map<NodeId, Sums> sums_;
  Plan plan_;
};

}  // namespace effnet::engine
