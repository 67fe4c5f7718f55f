// A MBConv block trained on own kernels: [expand, batch norm, activation,] depthwise, batch norm, activation, [squeeze
// and excitation,] project, batch norm [, drop path, residual]. x, out, their gradients and what is kept between
// forward and backward, the raw convolution outputs y1, y2 and y3, are blocked (nn/blocked.h); weights are as PyTorch
// shapes them. docs/training-kernels.md. No torch.
#pragma once

#include <vector>

#include "effnet/nn/blocked.h"
#include "effnet/nn/depthwise.h"

namespace effnet::nn {

struct MbConvShape {
  std::int64_t images, in_h, in_w, out_h, out_w;
  std::int64_t in, expanded, out;  // channels
  std::int64_t squeezed = 0;       // 0: no squeeze and excitation
  std::int64_t kernel, stride, top, left;
  bool expand, residual;
  Activated activation, squeeze_activation;
  std::int64_t in_pixels() const { return images * in_h * in_w; }
  std::int64_t out_pixels() const { return images * out_h * out_w; }
  std::int64_t y1_floats() const { return expand ? padded(expanded) * in_pixels() : 0; }
  std::int64_t y2_floats() const { return padded(expanded) * out_pixels(); }
  std::int64_t y3_floats() const { return padded(out) * out_pixels(); }
  // Backward may write dz1 over dh, which saves fetching memory only to overwrite it: a row is read before it is
  // written.
  bool in_place() const { return expand && stride == 1 && in_h == out_h && in_w == out_w; }
  DepthwiseShape depthwise() const;
};

struct MbConvWeights {
  const float *expand, *depthwise, *project;  // [expanded][in], [expanded][kernel^2], [out][expanded]
  const float *reduce, *reduce_bias;          // [squeezed][expanded]
  const float *excite, *excite_bias;          // [expanded][squeezed]
  const float *gamma1, *gamma2, *gamma3;
};

// Squeezed values, blocked over images.
struct SqueezeState {
  std::vector<float> mean, reduced, active, gate;  // reduced: before its activation
};

struct MbConvState {
  Norm norm1, norm2, norm3;
  SqueezeState squeeze;
  std::vector<float> keep;  // what drop path multiplies each image's branch with; empty: 1
  NormMode mode;
  float keep_of(std::int64_t image) const { return keep.empty() ? 1.0F : keep[static_cast<std::size_t>(image)]; }
};

struct MbConvTensors {
  float *y1, *y2, *y3;
};

void mbconv_forward(const MbConvShape& shape, const MbConvWeights& weights, const NormParameters (&norms)[3],
                    const float* x, const MbConvTensors& tensors, MbConvState& state, float* out);

struct MbConvGradients {
  float* x;  // null where no gradient is wanted
  float *expand, *depthwise, *project, *reduce, *reduce_bias, *excite, *excite_bias;
  float *gamma1, *beta1, *gamma2, *beta2, *gamma3, *beta3;
};
// dh and dz1 are work space of y2_floats() and y1_floats(), the same one if in_place().
void mbconv_backward(const MbConvShape& shape, const MbConvWeights& weights, const float* x,
                     const MbConvTensors& tensors, const MbConvState& state, const float* dout, float* dh, float* dz1,
                     const MbConvGradients& gradients);

}  // namespace effnet::nn
