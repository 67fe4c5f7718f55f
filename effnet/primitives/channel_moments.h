// Mean and variance of each channel over many pixels: sums over runs of pixels, taken by kernels in any order of runs,
// and joined in a fixed order, so that the result does not depend on threads.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/kernels/training.h"

namespace effnet::primitives {

class ChannelMoments {
 public:
  // A slot for each run of pixels: slot i over slot_pixels[i] of them.
  ChannelMoments(std::vector<std::int64_t> slot_pixels, std::int64_t channels);

  // Takes the sums of a run of one channel block, 16 floats a pixel; of different slots or blocks also at once. The
  // first pixel is the pivot, so a large mean costs no precision.
  void take(const kernels::TrainingSet& set, std::int64_t slot, std::int64_t block, const float* y,
            std::int64_t pixels);

  struct Joined {
    std::vector<double> mean, squares;  // by channel; squares: sum of (y - mean)^2
    double pixels = 0;
  };
  // Slots in their order, each by the formula of Chan, Golub and LeVeque (1979): sums of squares are about means as
  // near as there are, so nothing cancels.
  Joined joined() const;

 private:
  std::vector<float> values_;  // [slot][block][3][16]: pivot, sums of d = y - pivot and of d * d
  std::vector<std::int64_t> slot_pixels_;
  std::int64_t channels_, blocks_;
};

}  // namespace effnet::primitives
