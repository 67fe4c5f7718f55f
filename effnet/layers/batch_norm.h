// Batch norm of fused layers: the statistics of a batch, the constants that kernels apply (kernels/training.h), and the
// gradient. Vectors of floats are padded with zeros to whole blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "effnet/kernels/training.h"
#include "effnet/primitives/activation.h"
#include "effnet/primitives/channel_moments.h"

namespace effnet::layers {

using primitives::EpilogueParams;

struct NormMode {
  bool training = false;
  // Adds every value over all processes, in place: synchronised batch norm. Empty: this process alone.
  std::function<void(std::span<double>)> sum_all = {};
};
// What a batch norm is given and learns; arrays of as many values as there are channels. In training the moving
// statistics become momentum * moving + (1 - momentum) * batch.
struct NormParameters {
  const float *gamma = nullptr, *beta = nullptr;
  float *moving_mean = nullptr, *moving_variance = nullptr;
  double epsilon = 1e-3, momentum = 0.99;
  bool unbiased = false;  // the moving variance takes the sum of squares / (N - 1) instead of / N
};
struct Norm {
  std::vector<float> scale, shift, inverse, offset;
  double pixels = 0;  // of the batch, in training
};
// In training from the moments, and the moving statistics are updated; else from the moving statistics. sum_all is
// called for c + 1 values, then for c.
Norm normalise(const primitives::ChannelMoments& moments, std::int64_t channels, const NormParameters& parameters,
               const NormMode& mode);

// What a kernel needs to compute activation(batch norm(y)) of `pixels` pixels of a channel block, times `gate` (null,
// or 16) where the kernel takes one.
kernels::ActivationArgs activation_args(const EpilogueParams& activation, const Norm& norm, std::int64_t block,
                                        const float* y, std::int64_t pixels, const float* gate = nullptr);

// dy = c0 * dz + c1 * y + c2: the gradient before a batch norm from that behind it.
struct NormGradient {
  std::vector<float> c0, c1, c2;
};
// sums: [block][2][16]: of dz and of dz * xhat over all pixels. dgamma and dbeta, of this process, are written. Not in
// training the statistics are constants: c1 = c2 = 0. sum_all is called for 2 c values.
NormGradient norm_gradient(const std::vector<double>& sums, const Norm& norm, const float* gamma, std::int64_t channels,
                           const NormMode& mode, float* dgamma, float* dbeta);

}  // namespace effnet::layers
