// Helpers of the engine's tests: small networks, weights in which every parameter has an effect, and the tolerance.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/philox.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/packed_weights.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/session.h"
#include "effnet/graph/lower.h"

namespace effnet::engine::testkit {

inline std::vector<float> normal_values(std::string_view name, std::int64_t count, float deviation = 1.0F) {
  std::vector<float> values(static_cast<std::size_t>(count));
  Philox(17, stream_of(name)).fill_normal(values, 0, deviation);
  return values;
}

// Returns weights in which every parameter differs from its neutral value, so that every parameter affects the logits.
// (In random_weights all biases are 0 and all batch norm weights are 1.) The weights of convolutions have variance 2 /
// fan-in, which keeps the scale of activations. Batch norm weights and running variances are between 0.5 and 1.5.
// Biases and running means have a standard deviation of 0.3.
inline tensor::Weights nontrivial_weights(const graph::Graph& graph) {
  tensor::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    const bool matrix = parameter.dims.size() > 1;
    const auto fan_in = static_cast<float>(parameter.numel() / parameter.dims[0]);
    std::vector<float> values =
        normal_values(parameter.name, parameter.numel(), matrix ? std::sqrt(2.0F / fan_in) : 0.3F);
    const bool norm_weight = !matrix && parameter.name.ends_with(".weight");
    if (norm_weight || parameter.name.ends_with(".running_var")) {
      for (float& value : values) value = 1 + std::clamp(value, -0.5F, 0.5F);
    }
    weights.tensors[parameter.name] = tensor::make_tensor(parameter.dims, std::move(values));
  }
  return weights;
}

inline arch::ArchSpec network(std::string name, std::vector<arch::StageSpec> stages) {
  arch::ArchSpec spec;
  spec.name = std::move(name);
  spec.classes = 37;
  spec.stem.channels = 18;
  spec.head.channels = 50;
  spec.stages = std::move(stages);
  return spec;
}

// Returns the smallest network that uses every fusion: with SiLU, SE, residual connections, and channel counts that are
// not multiples of 8.
inline arch::ArchSpec mbconv_network() {
  return network("mbconv", {{.channels = 20, .se = 0.25},
                            {.repeats = 2, .channels = 24, .kernel = 5, .stride = 2, .expand = 6, .se = 0.25},
                            {.channels = 40, .expand = 3}});
}

inline graph::Graph lower_at(const arch::ArchSpec& spec, Size size) { return graph::lower(spec, {.resolution = size}); }

inline std::shared_ptr<const PackedWeights> pack(const graph::Graph& graph, const ParameterSource& parameters,
                                                 kernels::Isa isa) {
  ThreadPool pool(1);
  return PackedWeights::pack(graph, parameters, {isa}, pool);
}
inline std::shared_ptr<const PackedWeights> pack(const graph::Graph& graph, kernels::Isa isa) {
  return pack(graph, Parameters(nontrivial_weights(graph)), isa);
}

inline std::vector<float> run(Session& session, std::span<const float> input) {
  std::vector<float> logits(static_cast<std::size_t>(session.batch() * session.classes()));
  session.run(input, logits);
  return logits;
}
inline std::vector<float> run(const graph::Graph& graph, const std::shared_ptr<const PackedWeights>& weights,
                              std::span<const float> input, const SessionOptions& options) {
  Session session(graph, weights, options);
  return run(session, input);
}

inline double largest_of(std::span<const float> values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(double{value}));
  return most;
}
inline double largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - double{b[i]});
    if (std::isnan(difference)) return difference;
    most = std::max(most, difference);
  }
  return most;
}

// The logits of the reference executor in double, and the tolerance for the logits of a correct float32 engine. The
// difference between the reference's float and double logits shows how much this network amplifies rounding errors. The
// engine's errors are larger than those of the float reference: each folded weight is rounded once more, activations
// are wrong by a few units in the last place instead of half a unit, and sums are added in another order. Together
// these errors are below eight times the reference's difference. A float run can be exact by chance, so the tolerance
// is never below 8 * 2^-22 of the largest value.
struct Truth {
  std::vector<float> values;
  double tolerance = 0;

  Truth first(std::size_t count) const {
    return {{values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)}, tolerance};
  }
};
inline Truth truth_from(std::vector<float> in_double, std::span<const float> in_float) {
  const double least = 0x1p-22 * largest_of(in_double);
  const double tolerance = 8 * std::max(largest_difference(in_double, in_float), least);
  return {std::move(in_double), tolerance};
}
inline Truth truth_of(const graph::Graph& graph, const Parameters& parameters, std::span<const float> input,
                      std::int64_t batch) {
  ThreadPool pool(1);
  return truth_from(Reference(graph, parameters, pool, {.double_accumulation = true}).run(input, batch),
                    Reference(graph, parameters, pool).run(input, batch));
}

}  // namespace effnet::engine::testkit

namespace effnet::kernels {
inline std::ostream& operator<<(std::ostream& out, Isa isa) { return out << name(isa); }
}  // namespace effnet::kernels
