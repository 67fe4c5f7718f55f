// The CPU engine: a network planned for one input size, batch and number of threads, ready to run.
//
//   auto weights = engine::PackedWeights::pack(graph, parameters, {isa}, pool);   // once per model
//   engine::Session session(graph, weights, {.batch = 1, .threads = 2});          // once per input size
//   session.run(pixels, logits);                                                  // allocates no memory
//
// The plan depends only on graph, instruction set, precision, batch and options. Results do not depend on the number of
// threads: the order of every sum is fixed by the plan.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/engine/options.h"
#include "effnet/engine/packed_weights.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/target.h"

namespace effnet::engine {

// Move-only. Only one run at a time: a session owns the memory that its run uses. Use one session per thread, or a
// lock. Sessions that share PackedWeights share the memory of the weights. The threads of a session belong to it and
// sleep between runs.
class EFFNET_API Session {
 public:
  // Keeps no reference to graph or options. Throws Error(input) if the weights do not fit the graph, Error(usage) for a
  // batch or number of threads out of range, Error(environment) if memory or threads are insufficient.
  Session(const graph::Graph& graph, std::shared_ptr<const PackedWeights> weights, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // input: batch x C x H x W float32, row-major. logits: batch x classes. Throws Error(usage) for wrong sizes. If a
  // logit is NaN or infinite, throws Error(input) that names the first layer whose output is NaN or infinite. Denormals
  // count as zero during the run; the caller's floating-point state is restored afterwards.
  void run(std::span<const float> input, std::span<float> logits);
  // The same for pixels: batch x H x W x 3 values from 0 to 255, as bytes or floats. The network's input is (value /
  // 255 - mean) / std, with the same bits as vision::normalise.
  struct Normalisation {
    double mean[3] = {0, 0, 0};
    double std[3] = {1, 1, 1};
  };
  void run(std::span<const std::uint8_t> rgb, const Normalisation& normalisation, std::span<float> logits);
  void run(std::span<const float> rgb, const Normalisation& normalisation, std::span<float> logits);

  // Returns the output of a kept node in the last run: batch x C x H x W. Throws Error(usage) if the node was not in
  // SessionOptions::keep.
  std::vector<float> output(graph::NodeId node) const;

  // Runs once and measures the time of every step.
  std::vector<StepInfo> profile(std::span<const float> input);
  const std::vector<StepInfo>& steps() const;  // StepInfo::ms is 0

  Chw input_shape() const;
  std::int64_t classes() const;
  std::int64_t batch() const;
  int threads() const;
  kernels::Isa isa() const;
  kernels::Target target() const;
  std::int64_t workspace_bytes() const;  // activations, and scratch of all threads
  std::int64_t weights_bytes() const;    // of the packed weights

 private:
  struct EFFNET_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::engine
