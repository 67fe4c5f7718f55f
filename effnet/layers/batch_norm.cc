#include "effnet/layers/batch_norm.h"

#include <cmath>
#include <utility>

#include "effnet/layers/layout.h"

namespace effnet::layers {
namespace {

struct Statistics {
  std::vector<double> mean, variance;  // per channel; the variance is biased
  double pixels = 0;
};

// Combines the processes' statistics in the same way as ChannelMoments combines slots: each process's sum of squares is
// moved from its own mean to the mean of all processes.
Statistics batch_statistics(const primitives::ChannelMoments& moments, const BatchNormMode& mode) {
  auto [mean, squares, pixels] = moments.joined();
  const std::size_t size = mean.size();
  if (mode.sum_all) {
    std::vector<double> sums(size + 1, pixels);
    for (std::size_t c = 0; c < size; ++c) sums[c] *= mean[c];
    mode.sum_all(sums);
    for (std::size_t c = 0; c < size; ++c) {
      const double all_mean = sums[c] / sums[size], delta = mean[c] - all_mean;
      mean[c] = all_mean;  // not mean - delta: its rounding would differ between processes
      squares[c] += delta * delta * pixels;
    }
    mode.sum_all(squares);
    pixels = sums[size];
  }
  // Written so that NaN stays NaN; std::max(0, NaN) would give a variance of 0.
  for (double& square : squares) square = square < 0 ? 0 : square / pixels;
  return {std::move(mean), std::move(squares), pixels};
}

}  // namespace

BatchNormConstants batch_norm_constants(const primitives::ChannelMoments& moments, std::int64_t channels,
                                        const BatchNormParameters& parameters, const BatchNormMode& mode) {
  const auto size = static_cast<std::size_t>(channels), all = static_cast<std::size_t>(padded(channels));
  const Statistics statistics = mode.training
                                    ? batch_statistics(moments, mode)
                                    : Statistics{{parameters.moving_mean, parameters.moving_mean + channels},
                                                 {parameters.moving_variance, parameters.moving_variance + channels}};
  BatchNormConstants norm;
  norm.pixels = statistics.pixels;
  for (std::vector<float>* values : {&norm.scale, &norm.shift, &norm.inverse, &norm.offset}) values->resize(all);
  for (std::size_t c = 0; c < size; ++c) {
    const double mean = statistics.mean[c], variance = statistics.variance[c];
    const double inverse = 1 / std::sqrt(variance + parameters.epsilon), scale = parameters.gamma[c] * inverse;
    norm.inverse[c] = static_cast<float>(inverse);
    norm.offset[c] = static_cast<float>(-mean * inverse);
    norm.scale[c] = static_cast<float>(scale);
    norm.shift[c] = static_cast<float>(parameters.beta[c] - mean * scale);
    if (!mode.training) continue;
    const double old_weight = parameters.momentum, new_weight = 1 - old_weight;
    const double correction = parameters.unbiased && norm.pixels > 1 ? norm.pixels / (norm.pixels - 1) : 1;
    parameters.moving_mean[c] = static_cast<float>(old_weight * parameters.moving_mean[c] + new_weight * mean);
    parameters.moving_variance[c] =
        static_cast<float>(old_weight * parameters.moving_variance[c] + new_weight * variance * correction);
  }
  return norm;
}

kernels::ActivationArgs activation_args(const EpilogueParams& activation, const BatchNormConstants& norm,
                                        std::int64_t block, const float* y, std::int64_t pixels, const float* gate) {
  const std::int64_t at = block * kBlock;
  return {.y = y,
          .scale = norm.scale.data() + at,
          .shift = norm.shift.data() + at,
          .inverse = norm.inverse.data() + at,
          .offset = norm.offset.data() + at,
          .se_scale = gate,
          .low = activation.low,
          .high = activation.high,
          .pixels = pixels};
}

BatchNormGradient batch_norm_gradient(const std::vector<double>& sums, const BatchNormConstants& norm,
                                      const float* gamma, std::int64_t channels, const BatchNormMode& mode,
                                      float* dgamma, float* dbeta) {
  const auto size = static_cast<std::size_t>(channels), all = static_cast<std::size_t>(padded(channels));
  BatchNormGradient result;
  for (std::vector<float>* values : {&result.c0, &result.c1, &result.c2}) values->resize(all);
  std::vector<double> totals(2 * size);  // sums of dz, then of dz * xhat
  for (std::size_t c = 0; c < size; ++c) {
    totals[c] = sums[c / kBlock * 2 * kBlock + c % kBlock];
    totals[size + c] = sums[c / kBlock * 2 * kBlock + kBlock + c % kBlock];
    result.c0[c] = static_cast<float>(double{gamma[c]} * norm.inverse[c]);
    dbeta[c] = static_cast<float>(totals[c]);
    dgamma[c] = static_cast<float>(totals[size + c]);
  }
  if (!mode.training) return result;
  if (mode.sum_all) mode.sum_all(totals);
  for (std::size_t c = 0; c < size; ++c) {
    const double scale = double{gamma[c]} * norm.inverse[c];
    const double mean = totals[c] / norm.pixels, derivative = totals[size + c] / norm.pixels;
    result.c1[c] = static_cast<float>(-scale * derivative * norm.inverse[c]);
    result.c2[c] = static_cast<float>(-scale * (mean + derivative * norm.offset[c]));
  }
  return result;
}

}  // namespace effnet::layers
