// Batch norm of fused layers: statistics of a batch, the constants that kernels apply (kernels/training.h), and the
// gradient. Vectors of float are padded with zeros to whole channel blocks.
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

struct BatchNormMode {
  bool training = false;
  // Synchronised batch norm: replaces each value by its sum over all processes. Empty: this process only.
  std::function<void(std::span<double>)> sum_all = {};
};
// Parameters and moving statistics of a batch norm; each array has one value per channel. In training the moving
// statistics become momentum * moving + (1 - momentum) * batch.
struct BatchNormParameters {
  const float *gamma = nullptr, *beta = nullptr;
  float *moving_mean = nullptr, *moving_variance = nullptr;
  double epsilon = 1e-3, momentum = 0.99;
  bool unbiased = false;  // true: moving_variance is updated with the unbiased variance; false: with the biased one
};
// The constants of xhat = y * inverse + offset and z = y * scale + shift (kernels/training.h), one value per channel.
struct BatchNormConstants {
  std::vector<float> scale, shift, inverse, offset;
  double pixels = 0;  // N, the number of pixels of the batch over all processes; 0 in evaluation
};
// Training: computes the constants from `moments` and updates the moving statistics. Evaluation: computes them from the
// moving statistics. Training calls sum_all twice: with c + 1 values (each channel's sum, and the number of pixels),
// then with c values (each channel's sum of squares).
BatchNormConstants batch_norm_constants(const primitives::ChannelMoments& moments, std::int64_t channels,
                                        const BatchNormParameters& parameters, const BatchNormMode& mode);

// Kernel arguments for activation(batch norm(y)) of `pixels` pixels of a channel block. `gate`: the 16 factors of
// squeeze-and-excitation, read only by kernels that multiply by them; null: 1.
kernels::ActivationArgs activation_args(const EpilogueParams& activation, const BatchNormConstants& norm,
                                        std::int64_t block, const float* y, std::int64_t pixels,
                                        const float* gate = nullptr);

// The coefficients that give the gradient dy of a batch norm's input y from the gradient dz of its output:
// dy = c0 * dz + c1 * y + c2. One value per channel.
struct BatchNormGradient {
  std::vector<float> c0, c1, c2;
};
// sums [block][2][16]: the sums of dz and of dz * xhat over this process's pixels. Writes dgamma and dbeta, for this
// process's pixels only. In evaluation the statistics are constants, so c1 = c2 = 0. Training calls sum_all once, with
// 2 c values.
BatchNormGradient batch_norm_gradient(const std::vector<double>& sums, const BatchNormConstants& norm,
                                      const float* gamma, std::int64_t channels, const BatchNormMode& mode,
                                      float* dgamma, float* dbeta);

}  // namespace effnet::layers
