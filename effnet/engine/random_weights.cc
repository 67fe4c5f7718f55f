#include "effnet/engine/random_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/synthetic_images.h"
#include "effnet/formats/initial_weights.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::engine {
namespace {

constexpr std::int64_t kBatch = 8;
constexpr std::int64_t kSmallBatch = 4;            // used if kBatch images are too expensive even at kMinSide
constexpr std::int64_t kMaxMacs = 32'000'000'000;  // of the calibration pass: two seconds on two cores
constexpr std::int64_t kGrid = 32;                 // sides are multiples of this: the total stride of named networks
constexpr std::int64_t kMinSide = 128;             // at 64 pixels L2 becomes chaotic

// The values of a statistic. The calibration pass writes them, and the tensor in Weights is a view of them.
using Values = std::shared_ptr<float[]>;

struct Calibration {
  graph::Graph graph;
  std::int64_t batch;
};

// Returns the network at its nominal resolution if the pass stays within kMaxMacs, else at a smaller resolution.
Calibration calibration_of(const arch::ArchSpec& spec, std::int64_t classes) {
  graph::Graph graph = graph::lower(spec, {.classes = classes});
  const double macs = static_cast<double>(graph::costs(graph).macs) * kBatch;
  if (macs <= kMaxMacs) return {std::move(graph), kBatch};
  const double affordable = static_cast<double>(spec.resolution) * std::sqrt(kMaxMacs / macs);
  const std::int64_t batch = affordable < kMinSide ? kSmallBatch : kBatch;
  for (std::int64_t side = std::max(kMinSide, static_cast<std::int64_t>(affordable) / kGrid * kGrid);
       side < spec.resolution; side += kGrid) {
    try {
      return {graph::lower(spec, {.resolution = Size{side, side}, .classes = classes}), batch};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;  // the resolution is too small for this network
    }
  }
  return {std::move(graph), batch};
}

// Returns the mean and the biased variance of one channel over a batch, in two passes in double.
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

tensor::Weights random_weights(const arch::ArchSpec& spec, std::int64_t classes, std::uint64_t seed, ThreadPool& pool) {
  const Calibration calibration = calibration_of(spec, classes);
  const graph::Graph& graph = calibration.graph;
  const std::int64_t batch = calibration.batch;
  tensor::Weights weights = formats::initial_weights(graph, seed, pool);

  // Batch norm statistics get their own memory, which the calibration pass fills.
  std::map<std::string, Values, std::less<>> statistics;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    if (!parameter.statistic()) continue;
    const auto count = static_cast<std::size_t>(parameter.numel());
    Values values = std::make_shared<float[]>(count);
    weights.tensors[parameter.name] = {tensor::Dtype::f32, parameter.dims,
                                       std::as_bytes(std::span<const float>(values.get(), count)), values};
    statistics[parameter.name] = std::move(values);
  }

  // The executor reads the same memory. It calls set_statistics with the output of each node. So the statistics of a
  // batch norm are set after its input is computed and before the batch norm runs.
  std::vector<std::vector<const graph::Node*>> norms(graph.nodes.size());  // by the node that they read
  for (const graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::BatchNorm>(node.op)) continue;
    norms[static_cast<std::size_t>(node.inputs[0])].push_back(&node);
  }
  const auto set_statistics = [&](const graph::Node& node, std::span<const float> values) {
    for (const graph::Node* norm : norms[static_cast<std::size_t>(&node - graph.nodes.data())]) {
      float* const mean = statistics.at(graph::parameter(graph, *norm, graph::ParameterKind::norm_mean).name).get();
      float* const variance =
          statistics.at(graph::parameter(graph, *norm, graph::ParameterKind::norm_variance).name).get();
      pool.parallel_for(node.out.c, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          const auto [m, v] = moments(values, batch, node.out, c);
          mean[c] = static_cast<float>(m);
          variance[c] = v > 0 ? static_cast<float>(v) : 1.0F;  // a constant channel is not scaled
        }
      });
    }
  };
  const std::vector<float> images = synthetic_images(graph.input(), batch, seed, pool);
  const Parameters parameters(weights);
  Reference(graph, parameters, pool).run(images, batch, set_statistics);
  return weights;
}

}  // namespace effnet::engine
