// The operations of the reference executor: plain C++ on NCHW float32. Every kernel is compared with them. They do not
// check their arguments, allocate no memory and do not throw; reference.cc checks the graph and divides the work among
// threads.
//
// The work of an operation is divided into numbered tasks that write different outputs; each function runs the tasks
// [begin, end). `Acc` is the type of the sums: float (as in fp32 kernels) or double (nearly exact). The order of every
// sum is fixed here and does not depend on tasks or threads.
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

// out[n][o][y][x] is the sum of weight[o][i][ky][kx] * in[n][i][...] over (i, ky, kx), in this order, and then bias[o].
// Depthwise convolutions skip taps in the padding; all other convolutions add zeros for these taps.
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
// A task is one plane of one image. The maximum of values with a NaN is NaN, as in PyTorch.
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

// The functions below change `values` in place. In batch_norm and multiply_planes a task is one plane (task n *
// channels + c), in activate and add it is one element.
// Batch norm: value = float((value - mean) * (weight / sqrt(variance + epsilon)) + bias), computed in double.
struct BatchNormParameters {
  std::span<const float> weight, bias, mean, variance;
  double epsilon = 0;
};
void batch_norm(const BatchNormParameters& parameters, std::int64_t pixels, std::span<float> values, std::int64_t begin,
                std::int64_t end) noexcept;
void multiply_planes(std::int64_t pixels, std::span<const float> scales, std::span<float> values, std::int64_t begin,
                     std::int64_t end) noexcept;
// Computes in double and rounds once. Uses its own exponential (relative error below 1e-12), because the last bits of
// libm's results differ between CPUs.
void activate(graph::Activation kind, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept;
void add(std::span<const float> other, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace effnet::engine::reference
