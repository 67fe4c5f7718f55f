#include "effnet/layers/squeeze.h"

#include <algorithm>

#include "effnet/layers/matrix.h"

namespace effnet::layers {
namespace {

// out = a * weight [+ bias]; a and out are blocked, with one pixel per image.
void multiply(const Kernels& kernels, std::int64_t images, const std::vector<float>& a, const OwnedMatrix& weight,
              const float* bias, std::vector<float>& out) {
  std::vector<float> biases(static_cast<std::size_t>(padded(weight.shape.channels)));
  if (bias != nullptr) std::copy_n(bias, weight.shape.channels, biases.begin());
  gemm_all(kernels, {.a = a.data(),
                     .a_block = images * kBlock,
                     .matrix = weight.view(),
                     .bias = biases.data(),
                     .out = out.data(),
                     .out_block = images * kBlock,
                     .pixels = images});
}

void sum_images(const std::vector<float>& values, std::int64_t channels, std::int64_t images, float* to) {
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (std::int64_t image = 0; image < images; ++image) {
      sum += values[static_cast<std::size_t>((c / kBlock * images + image) * kBlock + c % kBlock)];
    }
    to[c] = static_cast<float>(sum);
  }
}

}  // namespace

void squeeze_forward(const Context& context, const SqueezeShape& shape, const SqueezeWeights& weights,
                     SqueezeState& state) {
  const kernels::KernelSet& set = context.kernels.base;
  const std::int64_t n = shape.images, c = shape.channels, r = shape.squeezed;
  state.reduced.resize(static_cast<std::size_t>(padded(r) * n));
  state.active.resize(state.reduced.size());
  state.gate.resize(static_cast<std::size_t>(padded(c) * n));
  multiply(context.kernels, n, state.mean, pack(context, weights.reduce, r, c), weights.reduce_bias, state.reduced);
  set.map[static_cast<int>(shape.activation.epilogue)]({.a = state.reduced.data(),
                                                        .b = nullptr,
                                                        .scale = nullptr,
                                                        .shift = nullptr,
                                                        .out = state.active.data(),
                                                        .pixels = blocks_of(r) * n,
                                                        .low = shape.activation.low,
                                                        .high = shape.activation.high});
  multiply(context.kernels, n, state.active, pack(context, weights.excite, c, r), weights.excite_bias, state.gate);
  set.sigmoid({.a = state.gate.data(),
               .b = nullptr,
               .scale = nullptr,
               .shift = nullptr,
               .out = state.gate.data(),
               .pixels = blocks_of(c) * n,
               .low = 0,
               .high = 0});
}

std::vector<float> squeeze_backward(const Context& context, const SqueezeShape& shape, const SqueezeWeights& weights,
                                    const SqueezeState& state, const std::vector<double>& dgate,
                                    const SqueezeGradients& gradients) {
  const std::int64_t n = shape.images, c = shape.channels, r = shape.squeezed;
  std::vector<float> excite(state.gate.size());  // gradient of the sigmoid's input
  for (std::size_t i = 0; i < excite.size(); ++i) {
    const double gate = state.gate[i];
    excite[i] = static_cast<float>(dgate[i] * gate * (1 - gate));
  }
  outer_product(context, excite.data(), c, state.active.data(), r, n, gradients.excite);
  sum_images(excite, c, n, gradients.excite_bias);
  std::vector<float> reduce(state.reduced.size()), active(state.reduced.size()), derivative(state.reduced.size());
  multiply(context.kernels, n, excite, pack_transposed(context, weights.excite, c, r), nullptr, reduce);
  const std::vector<float> ones(kBlock, 1.0F), zeros(kBlock, 0.0F);
  context.kernels.training.activate_both[static_cast<std::size_t>(shape.activation.epilogue)](
      {.y = state.reduced.data(),
       .scale = ones.data(),
       .shift = zeros.data(),
       .inverse = nullptr,
       .offset = nullptr,
       .se_scale = nullptr,
       .low = shape.activation.low,
       .high = shape.activation.high,
       .pixels = blocks_of(r) * n},
      active.data(), derivative.data());
  for (std::size_t i = 0; i < reduce.size(); ++i) reduce[i] *= derivative[i];
  outer_product(context, reduce.data(), r, state.mean.data(), c, n, gradients.reduce);
  sum_images(reduce, r, n, gradients.reduce_bias);
  std::vector<float> mean(state.mean.size());
  multiply(context.kernels, n, reduce, pack_transposed(context, weights.reduce, r, c), nullptr, mean);
  return mean;
}

}  // namespace effnet::layers
