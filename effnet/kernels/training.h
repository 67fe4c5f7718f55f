// Kernels of training: what a training step needs in addition to the engine's GEMM and depthwise kernels. They too are
// noexcept, allocate nothing, check nothing, and always sum in the same order.
//
// Tensors inside a fused block have the blocked layout, as in kernels.h. A kernel call processes one block of 16
// channels over some pixels: each pixel is 16 contiguous floats, and each per-channel constant is 16 floats. Every
// lane is computed independently of the others, padding lanes too, so the values of padding lanes do not matter.
//
// With batch statistics, all values of a layer follow from the raw convolution output y:
//   xhat = y * inverse + offset          normalised (inverse = 1 / sqrt(variance + epsilon), offset = -mean * inverse)
//   z    = y * scale + shift             scale = gamma * inverse, shift = beta - mean * scale
//   a    = f(z), derivative = f'(z)      f: an Epilogue
// With dz the gradient of z, the gradient of y is dy = c0 * dz + c1 * y + c2.
#pragma once

#include "effnet/kernels/kernels.h"

namespace effnet::kernels {

struct ActivationArgs {
  const float* y;
  const float *scale, *shift;     // [16]
  const float *inverse, *offset;  // [16]; read only by kernels that use xhat
  const float* se_scale;          // null: 1; else [16]: the scale that squeeze-and-excitation applies to a
  float low, high;                // for Epilogue::clamp
  std::int64_t pixels;
};

// ---- Moments: sums of d = y - pivot and of d * d. The pivot keeps the precision when the mean is far from zero.
// moments is [3][16]: the pivot, which the kernel reads, then the sum and the sum of squares, to which it adds.
using MomentsFn = void (*)(const float* y, std::int64_t pixels, float* moments) noexcept;
// out = se_scale * a.
using ActivateFn = void (*)(const ActivationArgs& args, float* out) noexcept;
// sums[16] += a, pixel by pixel.
using ActivateSumFn = void (*)(const ActivationArgs& args, float* sums) noexcept;
// out = a, derivative = f'(z).
using ActivateBothFn = void (*)(const ActivationArgs& args, float* out, float* derivative) noexcept;

// ---- Backward of squeeze-and-excitation (SE). d is the gradient of se_scale * a. out = se_scale * a; out may be null.
// The kernel adds five values of every pixel to sums [5][16]: d * a, d * derivative, d * derivative * xhat, derivative,
// derivative * xhat. The first sum is the gradient of se_scale. It determines m: the gradient of the mean that SE
// reads, divided by the number of pixels. With m, the other four sums give the sums of dz = derivative * (se_scale * d
// + m) and of dz * xhat, without a second pass over the tensor.
inline constexpr std::int64_t kSeSums = 5;
using SeBackwardFn = void (*)(const ActivationArgs& args, const float* d, float* out, float* sums) noexcept;

// ---- The gradient of y. d is the gradient after the activation. out = derivative * (factor * d + mean) + c1 * y + c2,
// where factor = c0 * se_scale and mean = c0 * m. Each pixel of `out` begins out_step floats after the previous one.
struct GradientArgs {
  const float* d;
  const float *factor, *mean, *c1, *c2;  // [16]
  float* out;
  std::int64_t out_step;
};
using ActivatedGradientFn = void (*)(const ActivationArgs& args, const GradientArgs& gradient) noexcept;
// The same for a batch norm that no activation follows: out = factor * d + c1 * y + c2. `mean` and out_step are not
// read; the pixels of `out` are 16 floats apart.
using GradientFn = void (*)(const float* y, const GradientArgs& gradient, std::int64_t pixels) noexcept;

// out = d * derivative. Adds out and out * xhat of every pixel to sums [2][16]. If derivative is null, it counts as 1.
// out may be d, or null. stream: `out` is written with non-temporal stores, which bypass the caches; `out` must be
// 64-byte aligned.
struct ReduceArgs {
  const float *d, *derivative, *y;
  const float *inverse, *offset;  // [16]
  float* out;
  float* sums;
  std::int64_t pixels;
  bool stream = false;
};
using ReduceFn = void (*)(const ReduceArgs&) noexcept;

// ---- Conversion from and to LibTorch's channels-last rows [pixel][channel]. Channel block b begins b * `block` floats
// after channel block 0. gather sets padding lanes to zero.
struct RowsArgs {
  const float* from;  // gather: the rows; scatter: the channel blocks
  float* to;
  std::int64_t channels, pixels, block;
};
using RowsFn = void (*)(const RowsArgs&) noexcept;

// ---- Weight gradient of a GEMM: to[r][n] = sum over p of a[p * 16 + r] * b[p * 16 + n], for TrainingSet::weight_rows
// rows r, and for the 16 lanes n of each of 1 or 2 blocks of b. With `accumulate`, the sum is added to to[r][n].
struct WeightGradientArgs {
  const float* a;
  const float* b;
  std::int64_t b_block;  // floats from one block of b to the next
  float* to;
  std::int64_t to_row;  // floats from one row to the next
  std::int64_t pixels;
  bool accumulate;                // false: the old content of `to` is not read
  const float* prefetch_address;  // a hint: one line is prefetched per pixel, from here on; any address is allowed
};
using WeightGradientFn = void (*)(const WeightGradientArgs&) noexcept;

// ---- Weight gradient of a depthwise convolution, one channel block: to[ky * kernel + kx][c] += sum over outputs y, x
// of rows[y * stride + ky][(x * stride + kx) * 16 + c] * d[y][x * d_step + c].
struct DepthwiseWeightArgs {
  const float* const* rows;
  const float* const* d;
  std::int64_t d_step;
  std::int64_t width, height;  // outputs
  float* to;
};
using DepthwiseWeightFn = void (*)(const DepthwiseWeightArgs&) noexcept;

// ---- Data gradient of a depthwise convolution with stride 2: one input row of one channel block. Input pixel j is in
// the window of output x = (j + left - kx) / 2 for each kx that makes x an integer. rows: the rows of d whose windows
// contain the input row, at most kernel / 2 + 1; window[i] is the row ky of the window that is used with rows[i]. Each
// row of d has zeros for `kernel` pixels before its first and after its last pixel.
struct DepthwiseDataGradientArgs {
  const float* const* rows;
  const std::int32_t* window;
  std::int64_t count;   // of rows
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
  std::int64_t weight_rows;             // rows that one call of weight_gradient computes: 8, 4 or 2
  std::int64_t weight_blocks;           // blocks of b that one call can process: 1 or 2
  WeightGradientFn weight_gradient[2];  // for 1 and 2 blocks; the second is null if weight_blocks is 1
  // Null unless kernel is 3, 5 or 7 and stride is 1 or 2.
  DepthwiseWeightFn depthwise_weight(std::int64_t kernel, std::int64_t stride) const;
  // Null unless kernel is 3, 5 or 7.
  DepthwiseDataGradientFn depthwise_data_gradient(std::int64_t kernel) const;
  DepthwiseWeightFn depthwise_weights[3][2];
  DepthwiseDataGradientFn depthwise_data_gradients[3];
};

const TrainingSet& training_set(const Target& target);  // throws like kernel_set()

}  // namespace effnet::kernels
