#include "effnet/nn/linear.h"

#include <algorithm>
#include <memory>

#include "effnet/nn/blocked.h"
#include "effnet/nn/parallel.h"
#include "effnet/nn/workspace.h"

namespace effnet::nn {
namespace {

// y = x * weight [+ bias], panels of output channels on several threads. x and y are blocked over n rows.
void multiply(std::int64_t n, const float* x, const OwnedMatrix& weight, const float* bias, float* y) {
  parallel(weight.shape.panels(), [&](std::int64_t first, std::int64_t last) {
    gemm_panels({.a = x,
                 .a_block = n * kBlock,
                 .matrix = weight.view(),
                 .bias = bias,
                 .out = y,
                 .out_block = n * kBlock,
                 .pixels = n},
                first, last);
  });
}

}  // namespace

void linear_forward(const LinearShape& shape, const float* x, const float* weight, const float* bias, float* y) {
  const ParallelScope scope;
  const std::int64_t in = padded(shape.in) * shape.n, out = padded(shape.out) * shape.n;
  const std::shared_ptr<float> memory = workspace(in + out);
  std::vector<float> biases(static_cast<std::size_t>(padded(shape.out)));
  std::copy_n(bias, shape.out, biases.begin());
  to_blocks(x, shape.in, shape.n, memory.get());
  multiply(shape.n, memory.get(), pack(weight, shape.out, shape.in), biases.data(), memory.get() + in);
  to_rows(memory.get() + in, shape.out, shape.n, y);
}

void linear_backward(const LinearShape& shape, const float* x, const float* weight, const float* dy, float* dx,
                     float* dweight, float* dbias) {
  const ParallelScope scope;
  const std::int64_t in = padded(shape.in) * shape.n, out = padded(shape.out) * shape.n;
  const std::shared_ptr<float> memory = workspace(2 * in + out);
  float *const inputs = memory.get(), *const result = inputs + in, *const gradients = result + in;
  to_blocks(x, shape.in, shape.n, inputs);
  to_blocks(dy, shape.out, shape.n, gradients);
  outer_product(gradients, shape.out, inputs, shape.in, shape.n, dweight);
  for (std::int64_t c = 0; c < shape.out; ++c) {
    double sum = 0;
    for (std::int64_t i = 0; i < shape.n; ++i) sum += dy[i * shape.out + c];
    dbias[c] = static_cast<float>(sum);
  }
  if (dx == nullptr) return;
  multiply(shape.n, gradients, pack_transposed(weight, shape.out, shape.in), nullptr, result);
  to_rows(result, shape.in, shape.n, dx);
}

}  // namespace effnet::nn
