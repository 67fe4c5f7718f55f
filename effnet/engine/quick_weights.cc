#include "effnet/engine/quick_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "effnet/tensor/memory.h"

namespace effnet::engine {
namespace {

using Row = std::shared_ptr<std::vector<float>>;

// Returns an array of `size` equal values. `size` is the length of the longest parameter that uses the array.
Row constant_row(std::size_t size, float value) { return std::make_shared<std::vector<float>>(size, value); }

// Returns values that are uniform in [-sqrt(3), sqrt(3)], so their variance is 1. They are the top 24 bits of a
// multiplicative hash of their index (Knuth, TAOCP 6.4).
Row hashed_row(std::size_t size) {
  auto row = std::make_shared<std::vector<float>>(size);
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15U;  // 2^64 / golden ratio
  const float scale = std::sqrt(12.0F) / 16777216.0F;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t mixed = (i + 1) * kGolden;
    const auto bits = static_cast<std::int32_t>(((mixed ^ (mixed >> 32U)) * kGolden) >> 40U);
    (*row)[i] = static_cast<float>(bits - (1 << 23)) * scale;
  }
  return row;
}

tensor::Tensor view(const Row& row, const graph::Parameter& parameter) {
  const auto count = static_cast<std::size_t>(parameter.numel());
  return {tensor::Dtype::f32, parameter.dims, std::as_bytes(std::span(*row).first(count)), row};
}

// Returns half of the fan-in of the convolution before this batch norm: about half of the sum of the squared weights of
// one output channel, because weights have variance 1. Returns 1 if the input does not come from a convolution.
float variance_before(const graph::Graph& graph, const graph::Node& norm) {
  const graph::Node& before = graph.at(norm.inputs[0]);
  const auto* conv = std::get_if<graph::Conv>(&before.op);
  if (conv == nullptr) return 1;
  const std::int64_t fan_in = graph.in(before).c / conv->groups * conv->kernel * conv->kernel;
  return static_cast<float>(fan_in) / 2;
}

// The batch norms that end a residual branch: the first input of an Add, without its DropPath.
std::set<const graph::Node*> branch_ends(const graph::Graph& graph) {
  std::set<const graph::Node*> ends;
  for (const graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::Add>(node.op)) continue;
    const graph::Node* branch = &graph.at(node.inputs[0]);
    if (std::holds_alternative<graph::DropPath>(branch->op)) branch = &graph.at(branch->inputs[0]);
    if (std::holds_alternative<graph::BatchNorm>(branch->op)) ends.insert(branch);
  }
  return ends;
}

// A residual block multiplies its activations by up to 2.5, and 2.5^95 exceeds float32. In networks with more blocks
// than kMaxBlocks, each branch is divided by the square root of their number: the product then stays bounded.
constexpr std::size_t kMaxBlocks = 64;
float branch_scale(std::size_t blocks) { return blocks <= kMaxBlocks ? 1 : 1 / std::sqrt(static_cast<float>(blocks)); }

}  // namespace

tensor::Weights quick_weights(const graph::Graph& graph) {
  std::size_t largest = 0;
  std::size_t longest = 0;  // among one-dimensional tensors
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    std::size_t& most = parameter.dims.size() > 1 ? largest : longest;
    most = std::max(most, static_cast<std::size_t>(parameter.numel()));
  }
  tensor::Weights weights;
  try {
    const Row hashed = hashed_row(largest);
    const Row zeros = constant_row(longest, 0);
    std::map<float, Row> constants;
    const auto constant = [&](float value) {
      Row& row = constants[value];
      if (!row) row = constant_row(longest, value);
      return row;
    };
    const std::set<const graph::Node*> branches = branch_ends(graph);
    for (const graph::Node& node : graph.nodes) {
      for (const graph::Parameter& parameter : graph::parameters(graph, node)) {
        Row row = zeros;
        if (parameter.dims.size() > 1) {
          row = hashed;
        } else if (parameter.kind == graph::ParameterKind::norm_weight) {
          row = constant(branches.contains(&node) ? branch_scale(branches.size()) : 1);
        } else if (parameter.kind == graph::ParameterKind::norm_variance) {
          row = constant(variance_before(graph, node));
        }
        weights.tensors.emplace(parameter.name, view(row, parameter));
      }
    }
  } catch (const std::bad_alloc&) {
    throw tensor::out_of_memory(4 * largest, "weights");
  }
  return weights;
}

}  // namespace effnet::engine
