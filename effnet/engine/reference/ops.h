// The operations of the reference executor: plain C++ on NCHW float32, the reference for every kernel. They check
// nothing, allocate nothing and do not throw; reference.cc checks the graph and divides the work among threads.
//
// Work is numbered in tasks that write different outputs; each function runs the tasks [begin, end). `Acc` is the type
// of the sums: float (as fp32 kernels) or double (nearly exact). The order of every sum is fixed here and does not
// depend on tasks or threads.
#pragma once

#include <cstdint>
#include <span>

#include "effnet/base/shape.h"
#include "effnet/graph/graph.h"

namespace effnet::engine::reference {

struct ConvShape {
  std::int64_t batch = 1;
  Chw in, out;  // of one image
  std::int64_t kernel = 1, stride = 1, groups = 1;
  graph::WindowPadding padding;
};

// out[n][o][y][x] = sum over (i, ky, kx), in this order, of weight[o][i][ky][kx] * in[n][i][...], then + bias[o].
// Depthwise convolutions skip taps in the padding; all others add zeros for them.
// A task is a tile of 64 pixels x 32 output channels, or one plane of a depthwise convolution.
std::int64_t conv_tasks(const ConvShape& shape) noexcept;
std::int64_t conv_macs_per_task(const ConvShape& shape) noexcept;  // approximate, to divide the work
template <class Acc>
void conv(const ConvShape& shape, std::span<const float> in, std::span<const float> weight, std::span<const float> bias,
          std::span<float> out, std::int64_t begin, std::int64_t end) noexcept;

struct PoolShape {
  Chw in, out;  // of one image
  std::int64_t kernel = 1, stride = 1;
  graph::WindowPadding padding;
  bool count_padding = false;
};
// A task is one plane of one image. A maximum passes NaN through, as in PyTorch.
void max_pool(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
              std::int64_t end) noexcept;
template <class Acc>
void average_pool(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
                  std::int64_t end) noexcept;
// out[plane] = mean of `pixels` values. Eight interleaved sums are added pairwise.
template <class Acc>
void global_pool(std::int64_t pixels, std::span<const float> in, std::span<float> out, std::int64_t begin,
                 std::int64_t end) noexcept;
// Adds zeros around the image; removes rows or columns where an amount is negative.
void pad(const Chw& in_shape, const Chw& out_shape, const graph::Pad& amounts, std::span<const float> in,
         std::span<float> out, std::int64_t begin, std::int64_t end) noexcept;

// These change `values` in place. In the first two a task is one plane (n * channels + c), in the others one element.
// values = float((values - mean) * (weight / sqrt(var + epsilon)) + bias), in double.
struct BatchNormParameters {
  std::span<const float> weight, bias, mean, variance;
  double epsilon = 0;
};
void batch_norm(const BatchNormParameters& parameters, std::int64_t pixels, std::span<float> values, std::int64_t begin,
                std::int64_t end) noexcept;
void multiply_planes(std::int64_t pixels, std::span<const float> scales, std::span<float> values, std::int64_t begin,
                     std::int64_t end) noexcept;
// Computed in double and rounded once. Uses its own exponential (relative error below 1e-12), because the last bits of
// libm differ between CPUs.
void activate(graph::Activation kind, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept;
void add(std::span<const float> other, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace effnet::engine::reference
