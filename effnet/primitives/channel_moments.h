// Mean and variance of each channel over many pixels. The pixels are divided into ranges, called slots. The sums of the
// slots may be computed in any order, but the slots are combined in a fixed order, so that the result does not depend
// on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/kernels/training.h"

namespace effnet::primitives {

class ChannelMoments {
 public:
  // Slot i has slot_pixels[i] pixels.
  ChannelMoments(std::vector<std::int64_t> slot_pixels, std::int64_t channels);

  // Computes the sums of one slot and one channel block from `pixels` pixels of 16 floats each. Threads may call this
  // at the same time for different slots or blocks. The slot's first pixel is the pivot (see below), which keeps the
  // precision if the mean is large.
  void take(const kernels::TrainingSet& set, std::int64_t slot, std::int64_t block, const float* y,
            std::int64_t pixels);

  struct Joined {
    std::vector<double> mean, squares;  // per channel; squares: the sum of (y - mean)^2
    double pixels = 0;
  };
  // Combines the slots in order, by the formula of Chan, Golub and LeVeque (1979). At every stage, the sum of squares
  // of some pixels is taken about the mean of the same pixels, so no large numbers cancel.
  Joined joined() const;

 private:
  std::vector<float> values_;  // [slot][block][3][16]: pivot, sums of d = y - pivot and of d * d
  std::vector<std::int64_t> slot_pixels_;
  std::int64_t channels_, blocks_;
};

}  // namespace effnet::primitives
