// The CPU engine: a network planned for one input size, batch and number of threads, ready to run.
//
//   auto weights = engine::PackedWeights::pack(graph, parameters, {isa}, pool);     // once a model
//   engine::Session session(graph, weights, {.batch = 1, .threads = 2});          // once an input size
//   session.run(pixels, logits);                                                  // no allocation from here on
//
// The plan is a pure function of graph, instruction set, precision and batch. Results do not depend on the number of
// threads: every sum runs in an order that the plan fixes.
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

// Move-only. One run at a time: a session holds the memory its run works in. Use one session a thread, or a lock;
// sessions that share PackedWeights share their memory. Its threads belong to it and sleep between runs.
class EFFNET_API Session {
 public:
  // Refers to neither graph nor options afterwards. Throws Error(input) if the weights do not fit the graph,
  // Error(usage) for a batch or number of threads out of range, Error(environment) if memory or threads do not suffice.
  Session(const graph::Graph& graph, std::shared_ptr<const PackedWeights> weights, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // input: batch x C x H x W float32, row-major; logits: batch x classes. Throws Error(usage) for wrong sizes and
  // Error(input) that names the first layer whose output holds NaN or infinity where the logits do. Denormals count
  // as zero inside; the caller's floating-point state is what it was afterwards.
  void run(std::span<const float> input, std::span<float> logits);
  // The same for pixels: batch x H x W x 3 of 0 to 255, as bytes or as floats. The network's input is (value / 255 -
  // mean) / std, to the bit what vision::normalise makes of them.
  struct Normalisation {
    double mean[3] = {0, 0, 0};
    double std[3] = {1, 1, 1};
  };
  void run(std::span<const std::uint8_t> rgb, const Normalisation& normalisation, std::span<float> logits);
  void run(std::span<const float> rgb, const Normalisation& normalisation, std::span<float> logits);

  // The output of a kept node in the last run: batch x C x H x W. Throws Error(usage) for a node that is not kept.
  std::vector<float> output(graph::NodeId node) const;

  // Runs once with a clock around every step.
  std::vector<StepInfo> profile(std::span<const float> input);
  const std::vector<StepInfo>& steps() const;  // without times

  Chw input_shape() const;
  std::int64_t classes() const;
  std::int64_t batch() const;
  int threads() const;
  kernels::Isa isa() const;
  kernels::Target target() const;
  std::int64_t workspace_bytes() const;  // activations and scratch of all threads
  std::int64_t weights_bytes() const;    // packed

 private:
  struct EFFNET_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::engine
