// The reference executor: runs any Graph, one node after the other, nothing folded or fused. It is the slow twin that
// every faster engine is compared with, so it is plain C++ whose results depend on nothing but graph, parameters, input
// and options: not on threads, compiler or instruction set.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/engine/parameters.h"
#include "effnet/graph/graph.h"

namespace effnet::engine {

struct ReferenceOptions {
  // Sums of convolutions, pools and the classifier in double, rounded when a node's output is stored. Else in float.
  // Batch norm and activations are computed in double either way.
  bool double_accumulation = false;
};

class Reference {
 public:
  // Sees a node's output (batch x C x H x W) right after it is computed and before any later node runs.
  using Observer = std::function<void(const graph::Node& node, std::span<const float> values)>;

  struct Tapped {
    std::vector<float> logits;
    std::map<std::string, std::vector<float>, std::less<>> activations;
  };

  // Refers to all three for its life. Throws Error(input) if the parameters do not fit (ParameterSource::check).
  Reference(const graph::Graph& graph, const ParameterSource& parameters, ThreadPool& pool,
            ReferenceOptions options = {});

  // input: batch x C x H x W float32, as graph.input() says; returns graph.logits' output, batch x classes.
  // Throws Error(usage) for a wrong batch or number of values, Error(environment) if memory does not suffice and
  // Error(interrupted) between nodes. Memory: at most graph::activation_memory(graph, batch), less the input.
  // const and without state: run it from several threads at once.
  std::vector<float> run(std::span<const float> input, std::int64_t batch, const Observer& observer = {}) const;
  // The same, and the outputs of the nodes named in `taps`. Throws Error(usage) for a name that is not in the graph.
  Tapped run(std::span<const float> input, std::int64_t batch, const std::vector<std::string>& taps) const;

 private:
  friend class ReferenceRun;

  const graph::Graph& graph_;
  ThreadPool& pool_;
  ReferenceOptions options_;
  std::vector<std::vector<std::span<const float>>> bound_;  // by node, in the order of graph::parameters(graph, node)
  std::vector<std::size_t> last_use_;                       // by node: the last node that reads it, or past the end
};

}  // namespace effnet::engine
