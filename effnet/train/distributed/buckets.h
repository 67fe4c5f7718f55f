// Gradients on their way: parameters in reverse order (the order in which backward makes their gradients, nearly), cut
// into buckets of a few megabytes. A hook behind each parameter's accumulation copies its gradient into its bucket; a
// full bucket goes out at once, while backward still runs, but never before its predecessors, so that all ranks send
// the same ones in the same order whatever the order of their hooks.
//
// A parameter that got no gradient counts as zeros. With the last bucket travels how many ranks had one: where none
// had, the parameter is left without, as in one process.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace effnet::train {

class GradientBuckets {
 public:
  // Starts a sum over all ranks, in place, and returns what waits for it. Called in the order of the buckets, from the
  // thread that runs backward.
  using Wait = std::function<void()>;
  using Launch = std::function<Wait(torch::Tensor& flat)>;

  GradientBuckets(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes, int world, Launch launch);
  ~GradientBuckets();  // takes the hooks off
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  bool fits(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes) const;  // made for these?

  // Before the backward that completes the step's gradients (what earlier micro-batches accumulated counts). Again
  // without finish() after a backward that failed: buckets that have gone stay as they went.
  void begin();
  // After it: sends what is left, waits, and writes the means over the ranks into the gradients.
  void finish();

  std::int64_t count() const;     // of buckets
  std::int64_t launched() const;  // since begin()

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the hooks
};

}  // namespace effnet::train
