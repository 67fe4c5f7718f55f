// The depth of parameters: which block of the network a parameter belongs to, counted from the input. Layer-wise
// learning-rate decay and frozen blocks use it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::train {

// The blocks of a network in the order of the graph: "stem", "stages.0.0", "stages.1.0", ..., "head", "classifier".
// A block has all nodes whose names begin with its name and a dot.
class Depth {
 public:
  explicit Depth(const graph::Graph& graph);

  const std::vector<std::string>& blocks() const { return blocks_; }
  // The index in blocks() of the block of a node or parameter. Throws Error(internal) for a name outside of the
  // network.
  std::size_t index_of(std::string_view name) const;
  // The number of blocks up to and including `last`: a block ("stages.2.1") or the first parts of the names of some
  // blocks ("stages.2", "stages"), of which the last one counts. 0 for an empty text. Throws Error(input) if there is
  // no such block, or if it is the last one of the network.
  std::size_t count_up_to(std::string_view last) const;
  // The first node after the first `count` blocks. Dropout at the end of the last of these blocks belongs to the next
  // one here: it regularises the layer that reads its output, so it must not be frozen before that layer is.
  graph::NodeId node_after(std::size_t count) const;

 private:
  std::vector<std::string> blocks_;
  std::vector<graph::NodeId> ends_;  // of each block: its last node that is not dropout + 1
};

// The block of a node: the first three parts of its name if the second and the third are numbers, else the first part.
std::string_view block_of(std::string_view node_name);

}  // namespace effnet::train
