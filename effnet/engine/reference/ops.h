// The reference executor's operations: plain C++ on NCHW float32, the slow twins of every kernel. They check nothing,
// allocate nothing and do not throw; reference.cc has checked the graph and cuts the work for threads.
//
// Work is numbered in tasks that write different outputs; a function does tasks [begin, end). `Acc` is the type sums
// are kept in: float (what fp32 kernels do) or double (what they should have given). Every sum runs in the order
// written here, whatever the tasks and threads.
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

// out[n][o][y][x] = bias[o] + sum over (i, ky, kx), in that order, of weight[o][i][ky][kx] * in[n][i][...], the bias
// added last. Depthwise sums leave out the taps that fall on padding; all others add their zeros.
// A task is a tile of 64 pixels x 32 output channels, or one plane of a depthwise convolution.
std::int64_t conv_tasks(const ConvShape& shape) noexcept;
std::int64_t conv_macs_per_task(const ConvShape& shape) noexcept;  // about; for the cutting
template <class Acc>
void conv(const ConvShape& shape, std::span<const float> in, std::span<const float> weight, std::span<const float> bias,
          std::span<float> out, std::int64_t begin, std::int64_t end) noexcept;

struct PoolShape {
  Chw in, out;  // of one image
  std::int64_t kernel = 1, stride = 1;
  graph::WindowPadding padding;
  bool count_padding = false;
};
// A task is one plane of one image. A maximum passes NaN on, as PyTorch does.
void max_pool(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
              std::int64_t end) noexcept;
template <class Acc>
void average_pool(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
                  std::int64_t end) noexcept;
// out[plane] = mean of `pixels` values: eight interleaved sums, added up pairwise.
template <class Acc>
void global_pool(std::int64_t pixels, std::span<const float> in, std::span<float> out, std::int64_t begin,
                 std::int64_t end) noexcept;
// Zeros around, or a crop where an amount is negative.
void pad(const Chw& in_shape, const Chw& out_shape, const graph::Pad& amounts, std::span<const float> in,
         std::span<float> out, std::int64_t begin, std::int64_t end) noexcept;

// These change `values` in place. A task of the first two is one plane (n * channels + c), of the others one element.
// values = float((values - mean) * (weight / sqrt(var + epsilon)) + bias), in double.
struct BatchNormParameters {
  std::span<const float> weight, bias, mean, variance;
  double epsilon = 0;
};
void batch_norm(const BatchNormParameters& parameters, std::int64_t pixels, std::span<float> values, std::int64_t begin,
                std::int64_t end) noexcept;
void multiply_planes(std::int64_t pixels, std::span<const float> scales, std::span<float> values, std::int64_t begin,
                     std::int64_t end) noexcept;
// Computed in double, rounded once. The exponential is written out (relative error below 1e-12): libm's last bits
// differ between CPUs.
void activate(graph::Activation kind, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept;
void add(std::span<const float> other, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace effnet::engine::reference
