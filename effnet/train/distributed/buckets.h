// All-reduce of gradients in buckets, while backward still runs.
//
// The parameters in reverse order are divided into buckets of a few megabytes; backward computes the gradients in about
// this order. A hook on each parameter's gradient accumulator copies the gradient into its bucket. A full bucket is
// sent at once, but never before the previous buckets. All ranks therefore send the same buckets in the same order,
// even if their hooks run in different orders.
//
// A parameter without a gradient contributes zeros. The last bucket also contains one flag per parameter: 1 if this
// rank has a gradient. After the sum, the flag is the number of ranks with a gradient. If it is 0, the parameter keeps
// no gradient, as in a single process.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace effnet::train {

class GradientBuckets {
 public:
  // Starts an in-place sum of `flat` over all ranks and returns a function that waits for it. Called for one
  // bucket after the other, on the thread that runs backward or finish().
  using Wait = std::function<void()>;
  using Launch = std::function<Wait(torch::Tensor& flat)>;

  GradientBuckets(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes, int world, Launch launch);
  ~GradientBuckets();  // removes the hooks
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // True if this object was created with the same parameters and bucket size.
  bool matches(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes) const;

  // To be called before the backward of the step's last micro-batch; gradients of earlier micro-batches are included.
  // If that backward fails, begin() may be called again without finish(). Buckets that were already sent are not sent
  // again.
  void begin();
  // To be called after that backward: sends the remaining buckets, waits for all of them, and replaces each gradient by
  // its mean over the ranks.
  void finish();

  std::int64_t count() const;     // number of buckets
  std::int64_t launched() const;  // number of buckets sent since begin()

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the hooks
};

}  // namespace effnet::train
