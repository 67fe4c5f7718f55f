// A depthwise convolution, forward and backward, one plane (a block of 16 channels of one image) after the other, in
// bands of rows that stay in the first-level cache. Its input is made a row at a time from what is in memory.
#pragma once

#include <functional>

#include "effnet/layers/layout.h"
#include "effnet/primitives/channel_moments.h"

namespace effnet::layers {

struct DepthwiseShape {
  std::int64_t images, channels;
  std::int64_t in_h, in_w, out_h, out_w;
  std::int64_t kernel, stride;  // 3, 5 or 7; 1 or 2
  std::int64_t top, left;       // padding before; less than `kernel`, not negative
  std::int64_t planes() const { return images * blocks_of(channels); }
};
// A row of one plane, kBlock floats a pixel. On any thread of the loops, as are all functions below.
using MakeRow = std::function<void(std::int64_t plane, std::int64_t row, float* to)>;

primitives::ChannelMoments moments_of(const DepthwiseShape& shape);  // a slot for each band of each image

// y (blocked, raw) = conv(rows made by `make`), with its moments. weight: [channels][kernel * kernel].
// Throws Error(internal) for a kernel, stride or padding that there is no kernel for.
void depthwise_forward(const Context& context, const DepthwiseShape& shape, const float* weight, const MakeRow& make,
                       float* y, primitives::ChannelMoments& moments);

struct DepthwiseBackward {
  const float* weight;
  // Input row: the activated input into `to`; `derivative` keeps what take_row wants to see again (the activation's
  // derivative).
  std::function<void(std::int64_t plane, std::int64_t row, float* to, float* derivative)> make_input;
  MakeRow make_gradient;  // output row: the gradient of y
  // The input row's gradient; may be changed. Called once for every row, from the top.
  std::function<void(std::int64_t plane, std::int64_t row, float* gradient, const float* derivative)> take_row;
};
// dw: [channels][kernel * kernel]. Throws as depthwise_forward().
void depthwise_backward(const Context& context, const DepthwiseShape& shape, const DepthwiseBackward& backward,
                        float* dw);

}  // namespace effnet::layers
