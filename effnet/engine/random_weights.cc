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

constexpr std::int64_t kImages = 8;
constexpr std::int64_t kFewImages = 4;              // where kImages would cost too much even at kSmallest
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
  const double macs = static_cast<double>(graph::costs(graph).macs) * kImages;
  if (macs <= kMostMacs) return {std::move(graph), kImages};
  const double affordable = static_cast<double>(spec.resolution) * std::sqrt(kMostMacs / macs);
  const std::int64_t batch = affordable < kSmallest ? kFewImages : kImages;
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

tensor::Weights random_weights(const arch::ArchSpec& spec, std::int64_t classes, std::uint64_t seed, ThreadPool& pool) {
  const Calibration calibration = calibration_of(spec, classes);
  const graph::Graph& graph = calibration.graph;
  const std::int64_t batch = calibration.batch;
  tensor::Weights weights = formats::initial_weights(graph, seed, pool);

  // The statistics get values of their own, to be written as the pass comes by.
  std::map<std::string, Values, std::less<>> written;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    if (!parameter.statistic()) continue;
    const auto count = static_cast<std::size_t>(parameter.numel());
    Values values = std::make_shared<float[]>(count);
    weights.tensors[parameter.name] = {tensor::Dtype::f32, parameter.dims,
                                       std::as_bytes(std::span<const float>(values.get(), count)), values};
    written[parameter.name] = std::move(values);
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
      float* const mean = written.at(graph::parameter(graph, *norm, graph::ParameterKind::norm_mean).name).get();
      float* const variance =
          written.at(graph::parameter(graph, *norm, graph::ParameterKind::norm_variance).name).get();
      pool.parallel_for(node.out.c, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          const auto [m, v] = moments(values, batch, node.out, c);
          mean[c] = static_cast<float>(m);
          variance[c] = v > 0 ? static_cast<float>(v) : 1.0F;  // a constant channel: nothing to scale
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
