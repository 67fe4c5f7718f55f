// Depthwise convolution, forward and backward. A task is one plane (16 channels of one image), processed in bands of
// rows that fit in the first-level cache. The input is computed one row at a time by a callback, so that the activated
// input is never written to memory.
#pragma once

#include <functional>

#include "effnet/layers/layout.h"
#include "effnet/primitives/channel_moments.h"

namespace effnet::layers {

struct DepthwiseShape {
  std::int64_t images, channels;
  std::int64_t in_h, in_w, out_h, out_w;
  std::int64_t kernel, stride;  // kernel: 3, 5 or 7; stride: 1 or 2
  std::int64_t top, left;       // padding above and to the left, 0 to kernel - 1
  std::int64_t planes() const { return images * blocks_of(channels); }
};
// Writes a row of one plane to `to`, kBlock floats per pixel. This and all callbacks below are called from several
// threads.
using MakeRow = std::function<void(std::int64_t plane, std::int64_t row, float* to)>;

// Returns empty moments of the output, with one slot for each band of each image.
primitives::ChannelMoments moments_of(const DepthwiseShape& shape);

// Computes y, the convolution of the rows that `make` writes, as a blocked tensor, and the moments of y in `moments`
// (from moments_of()). The weight has the shape [channels][kernel * kernel]. Throws Error(internal) for an unsupported
// kernel size, stride or padding, or a size that is not positive.
void depthwise_forward(const Context& context, const DepthwiseShape& shape, const float* weight, const MakeRow& make,
                       float* y, primitives::ChannelMoments& moments);

struct DepthwiseBackward {
  const float* weight;
  // Writes an input row to `to` (the activated input) and to `derivative` (the activation's derivative, which is
  // passed to take_row() later). Both have kBlock floats per pixel.
  std::function<void(std::int64_t plane, std::int64_t row, float* to, float* derivative)> make_input;
  MakeRow make_gradient;  // writes a row of the gradient of y
  // Receives the gradient of an input row and may overwrite it. Called once for each row of a plane, from top to
  // bottom.
  std::function<void(std::int64_t plane, std::int64_t row, float* gradient, const float* derivative)> take_row;
};
// Writes dw [channels][kernel * kernel]. Throws the same errors as depthwise_forward().
void depthwise_backward(const Context& context, const DepthwiseShape& shape, const DepthwiseBackward& backward,
                        float* dw);

}  // namespace effnet::layers
