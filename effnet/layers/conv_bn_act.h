// A convolution with its batch norm and activation: 1x1 with stride 1 (a network's head), or any window over an input
// that needs no gradient (its stem). All tensors are blocked but the input of a window, which is channels-last.
#pragma once

#include "effnet/layers/batch_norm.h"
#include "effnet/layers/layout.h"

namespace effnet::layers {

struct ConvBnActShape {
  std::int64_t images, in_h, in_w, out_h, out_w;
  std::int64_t in, out;  // channels
  std::int64_t kernel, stride, top, left;
  EpilogueParams activation;
  bool pointwise() const { return kernel == 1 && stride == 1; }
  std::int64_t depth() const { return kernel * kernel * in; }
  std::int64_t out_pixels() const { return images * out_h * out_w; }
  std::int64_t y_floats() const { return padded(out) * out_pixels(); }
};

// weight: [out][in][kernel][kernel]. y: y_floats(), kept for backward as `norm` is. Throws Error(internal) for a shape
// that cannot be.
void conv_bn_act_forward(const Context& context, const ConvBnActShape& shape, const float* weight,
                         const NormParameters& parameters, const float* x, const NormMode& mode, float* y, Norm& norm,
                         float* out);

struct ConvBnActGradients {
  float* x;  // null where no gradient is wanted; always null unless 1x1
  float *weight, *gamma, *beta;
};
void conv_bn_act_backward(const Context& context, const ConvBnActShape& shape, const float* weight, const float* gamma,
                          const float* x, const NormMode& mode, const float* y, const Norm& norm, const float* dout,
                          const ConvBnActGradients& gradients);

}  // namespace effnet::layers
