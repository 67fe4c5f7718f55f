// The depthwise convolution of a fused block, forward and backward, one plane (a block of 16 channels of one image)
// after the other, in bands of rows that stay in the first-level cache. No torch.
#pragma once

#include <functional>

#include "effnet/nn/blocked.h"

namespace effnet::nn {

struct DepthwiseShape {
  std::int64_t images, channels;
  std::int64_t in_h, in_w, out_h, out_w;
  std::int64_t kernel, stride;  // 3, 5 or 7; 1 or 2
  std::int64_t top, left;       // padding before; not negative
  std::int64_t planes() const { return images * blocks_of(channels); }
};
// A row of one plane, kBlock floats a pixel. plane = block * images + image.
using MakeRow = std::function<void(std::int64_t plane, std::int64_t row, float* to)>;

std::int64_t band_rows(const DepthwiseShape& shape);  // output rows of a band
Moments moments_of(const DepthwiseShape& shape);      // a slot for each band of each image

// y (blocked, raw) = conv(rows made by `make`), with its moments. weight: [channels][kernel * kernel].
void depthwise_forward(const DepthwiseShape& shape, const float* weight, const MakeRow& make, float* y,
                       Moments& moments);

struct DepthwiseBackward {
  const float* weight;
  // Input row: the activated input into `to`; `slope` keeps what take_row wants to see again (the activation's slope).
  std::function<void(std::int64_t plane, std::int64_t row, float* to, float* slope)> make_input;
  MakeRow make_gradient;  // output row: the gradient of y
  // The input row's gradient; may be changed. Called once for every row, from the top.
  std::function<void(std::int64_t plane, std::int64_t row, float* gradient, const float* slope)> take_row;
};
// dw: [channels][kernel * kernel].
void depthwise_backward(const DepthwiseShape& shape, const DepthwiseBackward& backward, float* dw);

}  // namespace effnet::nn
