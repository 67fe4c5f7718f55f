#include "effnet/formats/initial_weights.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <set>
#include <string>

#include "effnet/base/philox.h"
#include "effnet/tensor/memory.h"

namespace effnet::formats {
namespace {

// The initial values of one parameter: a constant, or random numbers.
struct Rule {
  enum class Kind { constant, normal, uniform } kind;
  double scale;  // constant: the value; normal: the standard deviation; uniform: the bound, values are +-scale
};
Rule rule_for(const graph::Node& node, const graph::Parameter& parameter) {
  using Kind = graph::ParameterKind;
  if (parameter.kind == Kind::norm_weight || parameter.kind == Kind::norm_variance) return {Rule::Kind::constant, 1};
  if (parameter.kind != Kind::weight) return {Rule::Kind::constant, 0};
  if (const auto* conv = std::get_if<graph::Conv>(&node.op)) {
    const std::int64_t fan_out = conv->kernel * conv->kernel * conv->out_channels / conv->groups;
    return {Rule::Kind::normal, std::sqrt(2.0 / static_cast<double>(fan_out))};
  }
  return {Rule::Kind::uniform, 1 / std::sqrt(static_cast<double>(parameter.dims[0]))};  // the classifier
}

// The weight of a batch norm at the end of a residual branch if an activation follows the sum (ResNet). Goyal et al.
// 2017, section 5.1, use 0. With 1, a ResNet-152 with random weights amplifies rounding errors chaotically. With 0.2
// the branch still contributes and rounding errors do not grow.
constexpr double kBranchEnd = 0.2;
std::set<std::string, std::less<>> branch_ends(const graph::Graph& graph) {
  std::set<std::string, std::less<>> ends;
  for (const graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::Activate>(node.op)) continue;
    const graph::Node& sum = graph.at(node.inputs[0]);
    if (!std::holds_alternative<graph::Add>(sum.op)) continue;
    const graph::Node* branch = &graph.at(sum.inputs[0]);
    if (std::holds_alternative<graph::DropPath>(branch->op)) branch = &graph.at(branch->inputs[0]);
    if (std::holds_alternative<graph::BatchNorm>(branch->op)) {
      ends.insert(graph::parameter(graph, *branch, graph::ParameterKind::norm_weight).name);
    }
  }
  return ends;
}

void fill(const Rule& rule, const Philox& numbers, std::span<float> values, ThreadPool& pool) {
  constexpr std::int64_t kGrain = 1 << 14;
  const auto scale = static_cast<float>(rule.scale);
  pool.parallel_for(
      static_cast<std::int64_t>(values.size()),
      [&](std::int64_t begin, std::int64_t end) {
        const auto range = values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
        const auto first = static_cast<std::uint64_t>(begin);
        switch (rule.kind) {
          case Rule::Kind::constant:
            return std::fill(range.begin(), range.end(), scale);
          case Rule::Kind::normal:
            return numbers.fill_normal(range, first, scale);
          case Rule::Kind::uniform:
            return numbers.fill_uniform(range, first, -scale, 2 * scale);
        }
      },
      kGrain);
}

}  // namespace

tensor::Weights initial_weights(const graph::Graph& graph, std::uint64_t seed, ThreadPool& pool,
                                const std::function<bool(const graph::Parameter&)>& wanted) {
  tensor::Weights weights;
  const std::set<std::string, std::less<>> damped = branch_ends(graph);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::Parameter& parameter : graph::parameters(graph, node)) {
      if (wanted && !wanted(parameter)) continue;
      const auto count = static_cast<std::size_t>(parameter.numel());
      std::shared_ptr<float[]> values;
      try {
        values = std::make_shared_for_overwrite<float[]>(count);
      } catch (const std::bad_alloc&) {
        throw tensor::out_of_memory(4 * count, "the weights of " + graph.name);
      }
      const std::span<float> span(values.get(), count);
      const Rule rule =
          damped.contains(parameter.name) ? Rule{Rule::Kind::constant, kBranchEnd} : rule_for(node, parameter);
      fill(rule, Philox(seed, stream_of(parameter.name)), span, pool);
      weights.tensors[parameter.name] = {tensor::Dtype::f32, parameter.dims, std::as_bytes(span), std::move(values)};
    }
  }
  return weights;
}

}  // namespace effnet::formats
