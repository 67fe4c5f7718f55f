#include "effnet/engine/random_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/synthetic_pictures.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::engine {
namespace {

constexpr std::int64_t kPictures = 8;
constexpr std::int64_t kFewPictures = 4;            // where kPictures would cost too much even at kSmallest
constexpr std::int64_t kMostMacs = 32'000'000'000;  // of the calibration pass: two seconds on two cores
constexpr std::int64_t kGrid = 32;                  // sides are multiples of it: the stride of every named network
constexpr std::int64_t kSmallest = 128;             // at 64 L2 is chaotic

// Values still to be written; the Weights hold views of them.
using Values = std::shared_ptr<float[]>;

struct Calibration {
  graph::Graph graph;
  std::int64_t batch;
};

// The network at its nominal resolution, or at the largest smaller one that keeps within kMostMacs.
Calibration calibration_of(const arch::ArchSpec& spec, std::int64_t classes) {
  graph::Graph graph = graph::lower(spec, {.classes = classes});
  const double macs = static_cast<double>(graph::costs(graph).macs) * kPictures;
  if (macs <= kMostMacs) return {std::move(graph), kPictures};
  const double affordable = static_cast<double>(spec.resolution) * std::sqrt(kMostMacs / macs);
  const std::int64_t batch = affordable < kSmallest ? kFewPictures : kPictures;
  for (std::int64_t side = std::max(kSmallest, static_cast<std::int64_t>(affordable) / kGrid * kGrid);
       side < spec.resolution; side += kGrid) {
    try {
      return {graph::lower(spec, {.resolution = Size{side, side}, .classes = classes}), batch};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;  // too small for this network
    }
  }
  return {std::move(graph), batch};
}

// One parameter's initial values: a constant, or random numbers.
struct Rule {
  enum class Kind { constant, normal, uniform } kind;
  double scale;  // the constant, the standard deviation or the bound
};
Rule rule_for(const graph::Node& node, const graph::Parameter& parameter) {
  const bool weight = parameter.name.ends_with(".weight");
  if (const auto* conv = std::get_if<graph::Conv>(&node.op); conv != nullptr && weight) {
    const std::int64_t fan_out = conv->kernel * conv->kernel * conv->out_channels / conv->groups;
    return {Rule::Kind::normal, std::sqrt(2.0 / static_cast<double>(fan_out))};
  }
  if (const auto* linear = std::get_if<graph::Linear>(&node.op); linear != nullptr && weight) {
    return {Rule::Kind::uniform, 1 / std::sqrt(static_cast<double>(linear->out_features))};
  }
  return {Rule::Kind::constant, weight || parameter.name.ends_with(".running_var") ? 1.0 : 0.0};
}

// Batch norms that end a residual branch whose sum is activated (ResNet's). Training starts them at 0 (Goyal et al.
// 2017, section 5.1); at 1 a random ResNet-152 is chaotic. At a fifth the branch still counts, and rounding errors stay
// what they are.
constexpr double kBranchEnd = 0.2;
std::set<std::string, std::less<>> branch_ends(const graph::Graph& graph) {
  std::set<std::string, std::less<>> ends;
  for (const graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::Activate>(node.op)) continue;
    const graph::Node& sum = graph.at(node.inputs[0]);
    if (!std::holds_alternative<graph::Add>(sum.op)) continue;
    const graph::Node* branch = &graph.at(sum.inputs[0]);
    if (std::holds_alternative<graph::DropPath>(branch->op)) branch = &graph.at(branch->inputs[0]);
    if (std::holds_alternative<graph::BatchNorm>(branch->op)) ends.insert(branch->name + ".weight");
  }
  return ends;
}

void fill(const Rule& rule, const Philox& numbers, std::span<float> values, ThreadPool& pool) {
  constexpr std::int64_t kGrain = 1 << 14;
  const auto scale = static_cast<float>(rule.scale);
  pool.parallel_for(
      static_cast<std::int64_t>(values.size()),
      [&](std::int64_t begin, std::int64_t end) {
        const auto part = values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
        const auto first = static_cast<std::uint64_t>(begin);
        switch (rule.kind) {
          case Rule::Kind::constant:
            return std::fill(part.begin(), part.end(), scale);
          case Rule::Kind::normal:
            return numbers.fill_normal(part, first, scale);
          case Rule::Kind::uniform:
            return numbers.fill_uniform(part, first, -scale, 2 * scale);
        }
      },
      kGrain);
}

// Mean and biased variance of one channel of a batch, two passes in double.
std::pair<double, double> moments(std::span<const float> values, std::int64_t batch, const Chw& shape,
                                  std::int64_t channel) {
  const auto over_planes = [&](auto function) {
    double sum = 0;
    for (std::int64_t image = 0; image < batch; ++image) {
      const float* const plane = values.data() + (image * shape.c + channel) * shape.pixels();
      for (std::int64_t p = 0; p < shape.pixels(); ++p) sum += function(plane[p]);
    }
    return sum / static_cast<double>(batch * shape.pixels());
  };
  const double mean = over_planes([](double x) { return x; });
  const double variance = over_planes([&](double x) { return (x - mean) * (x - mean); });
  return {mean, variance};
}

}  // namespace

formats::Weights random_weights(const arch::ArchSpec& spec, std::int64_t classes, std::uint64_t seed,
                                ThreadPool& pool) {
  const Calibration calibration = calibration_of(spec, classes);
  const graph::Graph& graph = calibration.graph;
  const std::int64_t batch = calibration.batch;
  formats::Weights weights;
  std::map<std::string, Values, std::less<>> written;
  const std::set<std::string, std::less<>> damped = branch_ends(graph);
  for (const graph::Node& node : graph.nodes) {
    for (const graph::Parameter& parameter : graph::parameters(graph, node)) {
      const auto count = static_cast<std::size_t>(parameter.numel());
      Values values;
      try {
        values = std::make_shared_for_overwrite<float[]>(count);
      } catch (const std::bad_alloc&) {
        throw environment_error("not enough memory for the weights of {} (got no {} bytes more)", spec.name, 4 * count);
      }
      const std::span<float> span(values.get(), count);
      const Rule rule =
          damped.contains(parameter.name) ? Rule{Rule::Kind::constant, kBranchEnd} : rule_for(node, parameter);
      fill(rule, Philox(seed, stream_of(parameter.name)), span, pool);
      weights.tensors[parameter.name] = {formats::Dtype::f32, parameter.dims, std::as_bytes(span), values};
      written[parameter.name] = std::move(values);
    }
  }

  // The executor reads these very values, so statistics written when a node's output is seen hold for the batch norm
  // that reads it next.
  std::vector<std::vector<const graph::Node*>> norms(graph.nodes.size());  // by the node they read
  for (const graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::BatchNorm>(node.op)) continue;
    norms[static_cast<std::size_t>(node.inputs[0])].push_back(&node);
  }
  const auto set_statistics = [&](const graph::Node& node, std::span<const float> values) {
    for (const graph::Node* norm : norms[static_cast<std::size_t>(&node - graph.nodes.data())]) {
      float* const mean = written.at(norm->name + ".running_mean").get();
      float* const variance = written.at(norm->name + ".running_var").get();
      pool.parallel_for(node.out.c, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          const auto [m, v] = moments(values, batch, node.out, c);
          mean[c] = static_cast<float>(m);
          variance[c] = v > 0 ? static_cast<float>(v) : 1.0F;  // a constant channel: nothing to scale
        }
      });
    }
  };
  const std::vector<float> pictures = synthetic_pictures(graph.input(), batch, seed, pool);
  const Parameters parameters(weights);
  Reference(graph, parameters, pool).run(pictures, batch, set_statistics);
  return weights;
}

}  // namespace effnet::engine
