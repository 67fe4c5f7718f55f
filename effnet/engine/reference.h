// The reference executor: runs any Graph node by node, without folding or fusion. Faster engines are compared with it.
// It is plain C++, and its results depend only on graph, parameters, input and options, not on threads, compiler or
// instruction set.
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
  // true: convolutions, pools and the classifier sum in double and round when the output of the node is stored. false:
  // they sum in float. Batch norm and activations are computed in double in both cases.
  bool double_accumulation = false;
};

class Reference {
 public:
  // Called with each node's output (batch x C x H x W) after it is computed and before the next node runs.
  using Observer = std::function<void(const graph::Node& node, std::span<const float> values)>;

  struct Tapped {
    std::vector<float> logits;
    std::map<std::string, std::vector<float>, std::less<>> activations;
  };

  // Keeps references to all three arguments. Throws Error(input) if the parameters do not fit the graph
  // (ParameterSource::check).
  Reference(const graph::Graph& graph, const ParameterSource& parameters, ThreadPool& pool,
            ReferenceOptions options = {});

  // input: batch x C x H x W float32, with the shape of graph.input(). Returns the output of graph.logits, batch x
  // classes. Throws Error(usage) for a wrong batch or number of values, Error(environment) if memory is insufficient
  // and Error(interrupted) after an interrupt, between nodes. Needs at most the memory that
  // graph::activation_memory(graph, batch) returns; the input is not part of it. Several threads may call run() at the
  // same time.
  std::vector<float> run(std::span<const float> input, std::int64_t batch, const Observer& observer = {}) const;
  // The same, and returns the outputs of the nodes named in `taps`. Throws Error(usage) for a name that is not in the
  // graph.
  Tapped run(std::span<const float> input, std::int64_t batch, const std::vector<std::string>& taps) const;

 private:
  friend class ReferenceRun;

  const graph::Graph& graph_;
  ThreadPool& pool_;
  ReferenceOptions options_;
  std::vector<std::vector<std::span<const float>>> bound_;  // by node, in the order of graph::parameters(graph, node)
  std::vector<std::size_t> last_use_;  // by node: the last node that reads it; nodes.size() for the logits
};

}  // namespace effnet::engine
