// A convolution with its batch norm and activation on own kernels: 1x1 with stride 1 (a network's head), or any window
// over an input that needs no gradient (its stem). All tensors are blocked but the input of a window, which is
// channels-last. No torch.
#pragma once

#include "effnet/nn/mbconv.h"

namespace effnet::nn {

struct ConvBnActShape {
  std::int64_t images, in_h, in_w, out_h, out_w;
  std::int64_t in, out;  // channels
  std::int64_t kernel, stride, top, left;
  Activated activation;
  bool pointwise() const { return kernel == 1 && stride == 1; }
  std::int64_t depth() const { return kernel * kernel * in; }
  std::int64_t out_pixels() const { return images * out_h * out_w; }
  std::int64_t y_floats() const { return padded(out) * out_pixels(); }
};

// weight: [out][in][kernel][kernel]. y: y_floats(), kept for backward as `norm` is.
void conv_bn_act_forward(const ConvBnActShape& shape, const float* weight, const NormParameters& parameters,
                         const float* x, const NormMode& mode, float* y, Norm& norm, float* out);

struct ConvBnActGradients {
  float* x;  // null where no gradient is wanted; always null unless 1x1
  float *weight, *gamma, *beta;
};
// dz: work space of y_floats().
void conv_bn_act_backward(const ConvBnActShape& shape, const float* weight, const float* gamma, const float* x,
                          const NormMode& mode, const float* y, const Norm& norm, const float* dout, float* dz,
                          const ConvBnActGradients& gradients);

}  // namespace effnet::nn
