// Convolution, batch norm and activation as one layer. Two cases:
//  - pointwise (1x1, stride 1), such as a network's head; x is blocked;
//  - any other window, such as a network's stem; x is channels-last and gets no gradient.
// y, out and dout are blocked in both cases.
#pragma once

#include "effnet/layers/batch_norm.h"
#include "effnet/layers/layout.h"

namespace effnet::layers {

struct ConvBnActShape {
  std::int64_t images, in_h, in_w, out_h, out_w;
  std::int64_t in, out;  // numbers of channels
  std::int64_t kernel, stride, top, left;
  EpilogueParams activation;
  bool pointwise() const { return kernel == 1 && stride == 1; }
  std::int64_t depth() const { return kernel * kernel * in; }
  std::int64_t out_pixels() const { return images * out_h * out_w; }
  std::int64_t y_floats() const { return padded(out) * out_pixels(); }
};

// weight: [out][in][kernel][kernel]. Writes `out`, and two results for the backward pass: y (the raw convolution
// output, y_floats() floats) and `norm`. Throws Error(internal) for an invalid shape.
void conv_bn_act_forward(const Context& context, const ConvBnActShape& shape, const float* weight,
                         const BatchNormParameters& parameters, const float* x, const BatchNormMode& mode, float* y,
                         BatchNormConstants& norm, float* out);

struct ConvBnActGradients {
  float* x;  // null: not computed; must be null unless the convolution is pointwise
  float *weight, *gamma, *beta;
};
void conv_bn_act_backward(const Context& context, const ConvBnActShape& shape, const float* weight, const float* gamma,
                          const float* x, const BatchNormMode& mode, const float* y, const BatchNormConstants& norm,
                          const float* dout, const ConvBnActGradients& gradients);

}  // namespace effnet::layers
