// An MBConv block: [expand, batch norm, activation,] depthwise, batch norm, activation, [squeeze-and-excitation,]
// project, batch norm [, drop path, residual]. Described in docs/training-kernels.md.
//
// Forward keeps the raw convolution outputs y1 (expand), y2 (depthwise) and y3 (project) for backward. y1, y2, y3, x,
// out and the gradients of x and out are blocked (layers/layout.h). Weights have PyTorch's shapes.
#pragma once

#include <vector>

#include "effnet/layers/batch_norm.h"
#include "effnet/layers/depthwise.h"
#include "effnet/layers/squeeze.h"

namespace effnet::layers {

struct MbConvShape {
  std::int64_t images, in_h, in_w, out_h, out_w;
  std::int64_t in, expanded, out;  // numbers of channels
  std::int64_t squeezed = 0;       // channels between the two linear layers of SE; 0: no SE
  std::int64_t kernel, stride, top, left;
  bool expand, residual;
  EpilogueParams activation, squeeze_activation = {};
  std::int64_t in_pixels() const { return images * in_h * in_w; }
  std::int64_t out_pixels() const { return images * out_h * out_w; }
  std::int64_t y1_floats() const { return expand ? padded(expanded) * in_pixels() : 0; }
  std::int64_t y2_floats() const { return padded(expanded) * out_pixels(); }
  std::int64_t y3_floats() const { return padded(out) * out_pixels(); }
  DepthwiseShape depthwise() const;
  SqueezeShape squeeze() const;
};

struct MbConvWeights {
  const float *expand, *depthwise, *project;  // [expanded][in], [expanded][kernel^2], [out][expanded]
  SqueezeWeights squeeze;                     // not read if shape.squeezed is 0
  const float *gamma1, *gamma2, *gamma3;
};

struct MbConvState {
  BatchNormConstants norm1, norm2, norm3;
  SqueezeState squeeze;
  std::vector<float> drop_path_scale;  // drop path's factor of each image, for the block's branch; empty: 1
  BatchNormMode mode;
  float drop_path_scale_of(std::int64_t image) const {
    return drop_path_scale.empty() ? 1.0F : drop_path_scale[static_cast<std::size_t>(image)];
  }
};

struct MbConvTensors {
  float *y1, *y2, *y3;
};

// Reads state.mode and state.drop_path_scale; writes the rest of `state`, the tensors y1, y2, y3, and `out`. Updates
// the moving statistics in training. Throws Error(internal) for an invalid shape.
void mbconv_forward(const Context& context, const MbConvShape& shape, const MbConvWeights& weights,
                    const BatchNormParameters (&norms)[3], const float* x, const MbConvTensors& tensors,
                    MbConvState& state, float* out);

struct MbConvGradients {
  float* x;  // null: not computed
  float *expand, *depthwise, *project;
  SqueezeGradients squeeze;
  float *gamma1, *beta1, *gamma2, *beta2, *gamma3, *beta3;
};
void mbconv_backward(const Context& context, const MbConvShape& shape, const MbConvWeights& weights, const float* x,
                     const MbConvTensors& tensors, const MbConvState& state, const float* dout,
                     const MbConvGradients& gradients);

}  // namespace effnet::layers
