// Kernels of training: what a step needs beside the engine's products and depthwise rows. As those they are noexcept,
// allocate nothing, check nothing, and always sum in the same order.
//
// Tensors inside of a fused block are "blocked" as in kernels.h: a kernel sees one block of 16 channels of some pixels,
// 16 contiguous floats a pixel, and constants of the block as 16 floats each. All 16 lanes are computed, each
// of its own alone: what lies beyond the channels does not matter.
//
// With batch statistics a value is described by its raw convolution output y:
//   xhat = y * inverse + offset          normalised (inverse = 1 / sqrt(variance + epsilon), offset = -mean * inverse)
//   z    = y * scale + shift             scale = gamma * inverse, shift = beta - mean * scale
//   a    = f(z), derivative = f'(z)           f: an Epilogue
// and the gradient before a batch norm by the gradient dz behind it: dy = c0 * dz + c1 * y + c2.
#pragma once

#include "effnet/kernels/kernels.h"

namespace effnet::kernels {

struct ActivationArgs {
  const float* y;
  const float *scale, *shift;     // [16]
  const float *inverse, *offset;  // [16], where xhat is used
  const float* gate;              // null: 1; else [16], a factor of a
  float low, high;                // Epilogue::clamp
  std::int64_t pixels;
};

// ---- Moments: sums of d = y - pivot and of d * d, so that a mean far from zero costs no precision.
// moments: [3][16]: pivot (read), sum and square (added to).
using MomentsFn = void (*)(const float* y, std::int64_t pixels, float* moments) noexcept;
// out = gate * a.
using ActivateFn = void (*)(const ActivationArgs& args, float* out) noexcept;
// sums[16] += a, pixel by pixel.
using ActivateSumFn = void (*)(const ActivationArgs& args, float* sums) noexcept;
// out = a, derivative = f'(z).
using ActivateBothFn = void (*)(const ActivationArgs& args, float* out, float* derivative) noexcept;

// ---- Behind a squeeze-and-excitation gate. d is the gradient of gate * a; out = gate * a, or null.
// sums [5][16] are added to: d * a, d * derivative, d * derivative * xhat, derivative, derivative * xhat. With them the
// gradient of the gate and, once the gradient m of the mean is known, the sums of dz = derivative * (gate * d + m) and
// of dz * xhat follow without another pass.
inline constexpr std::int64_t kGateSums = 5;
using SeBackwardFn = void (*)(const ActivationArgs& args, const float* d, float* out, float* sums) noexcept;

// ---- The gradient before a batch norm, from what lies behind its activation:
// out = derivative * (factor * d + mean) + c1 * y + c2, where factor = c0 * gate and mean = c0 * m. A pixel of `out` is
// out_step floats after the one before.
struct GradientArgs {
  const float* d;
  const float *factor, *mean, *c1, *c2;  // [16]
  float* out;
  std::int64_t out_step;
};
using ActivatedGradientFn = void (*)(const ActivationArgs& args, const GradientArgs& gradient) noexcept;
// The same without activation: out = factor * d + c1 * y + c2, out_step 16. mean is not read.
using GradientFn = void (*)(const float* y, const GradientArgs& gradient, std::int64_t pixels) noexcept;

// out = d * derivative (null: 1); sums [2][16] += out, out * xhat. out may be d, or null. stream: out, 64-byte aligned,
// is written past the caches.
struct ReduceArgs {
  const float *d, *derivative, *y;
  const float *inverse, *offset;  // [16]
  float* out;
  float* sums;
  std::int64_t pixels;
  bool stream = false;
};
using ReduceFn = void (*)(const ReduceArgs&) noexcept;

// ---- To and from torch's channels-last rows [pixel][channel]. Channel block b begins `block` floats after the one
// before. gather fills lanes beyond the channels with zeros.
struct RowsArgs {
  const float* from;  // gather: rows; scatter: blocks
  float* to;
  std::int64_t channels, pixels, block;
};
using RowsFn = void (*)(const RowsArgs&) noexcept;

// ---- Weight gradient of a product: to[r][n] (+)= sum over p of a[p * 16 + r] * b[p * 16 + n], for
// TrainingSet::weight_rows rows and the 16 lanes of each of 1 or 2 blocks of b.
struct WeightGradientArgs {
  const float* a;
  const float* b;
  std::int64_t b_block;  // floats from one block of b to the next
  float* to;
  std::int64_t to_row;  // floats from one row to the next
  std::int64_t pixels;
  bool accumulate;     // false: `to` is written, not read
  const float* ahead;  // what to fetch from memory meanwhile, a line for every pixel; a hint, any address will do
};
using WeightGradientFn = void (*)(const WeightGradientArgs&) noexcept;

// ---- Weight gradient of a depthwise convolution, one channel block: to[ky * kernel + kx][c] += sum over outputs of
// rows[y * stride + ky][(x * stride + kx) * 16 + c] * d[y][x * d_step + c].
struct DepthwiseWeightArgs {
  const float* const* rows;
  const float* const* d;
  std::int64_t d_step;
  std::int64_t width, height;  // outputs
  float* to;
};
using DepthwiseWeightFn = void (*)(const DepthwiseWeightArgs&) noexcept;

// ---- Data gradient of a depthwise convolution with stride 2, one row of one channel block. Input pixel j lies in the
// windows x = (j + left - kx) / 2 where that is whole. rows[i] (kernel / 2 + 1 of them at most) are rows of d that
// reach the row, their window rows are window[i]. d has zeros for kernel pixels on both sides of a row.
struct DepthwiseDataGradientArgs {
  const float* const* rows;
  const std::int32_t* window;
  std::int64_t count;
  const float* weight;  // [ky * kernel + kx][16]
  std::int64_t left;
  std::int64_t width;  // input pixels
  float* out;
};
using DepthwiseDataGradientFn = void (*)(const DepthwiseDataGradientArgs&) noexcept;

struct TrainingSet {
  Target target;
  MomentsFn moments;
  ActivateFn activate[kEpilogues];
  ActivateSumFn activate_sum[kEpilogues];
  ActivateBothFn activate_both[kEpilogues];
  SeBackwardFn se_backward[kEpilogues];
  ActivatedGradientFn activated_gradient[kEpilogues];
  GradientFn gradient;
  ReduceFn reduce;
  RowsFn gather, scatter;
  std::int64_t weight_rows;             // rows of one weight_gradient: 8, 4 or 2
  std::int64_t weight_blocks;           // blocks of its widest form
  WeightGradientFn weight_gradient[2];  // for 1 and 2 blocks; the second is null where weight_blocks is 1
  // Null unless kernel is 3, 5 or 7 and stride 1 or 2.
  DepthwiseWeightFn depthwise_weight(std::int64_t kernel, std::int64_t stride) const;
  DepthwiseDataGradientFn depthwise_data_gradient(std::int64_t kernel) const;
  DepthwiseWeightFn depthwise_weights[3][2];
  DepthwiseDataGradientFn depthwise_data_gradients[3];
};

const TrainingSet& training_set(const Target& target);  // as kernel_set()

}  // namespace effnet::kernels
