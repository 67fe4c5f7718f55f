#include "effnet/layers/linear.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/layers/matrix.h"

namespace effnet::layers {
namespace {

void check(const LinearShape& shape) {
  if (std::min({shape.n, shape.in, shape.out}) > 0) return;
  throw internal_error(
      "invalid linear layer shape (got {} rows, {} input channels and {} output channels, expected positive numbers)",
      shape.n, shape.in, shape.out);
}

// y = x * weight [+ bias], parallel over panels of output channels. x and y are blocked tensors of n pixels.
void multiply(const Context& context, std::int64_t n, const float* x, const OwnedMatrix& weight, const float* bias,
              float* y) {
  context.loops.parallel(weight.shape.panels(), [&](std::int64_t first, std::int64_t last) {
    gemm_panels(context.kernels,
                {.a = x,
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

void linear_forward(const Context& context, const LinearShape& shape, const float* x, const float* weight,
                    const float* bias, float* y) {
  check(shape);
  const std::int64_t in = padded(shape.in) * shape.n, out = padded(shape.out) * shape.n;
  const std::shared_ptr<float> memory = context.workspace.floats(in + out);
  float *const inputs = memory.get(), *const result = inputs + in;
  std::vector<float> biases(static_cast<std::size_t>(padded(shape.out)));
  std::copy_n(bias, shape.out, biases.begin());
  to_blocks(context, x, shape.in, shape.n, inputs);
  multiply(context, shape.n, inputs, pack(context, weight, shape.out, shape.in), biases.data(), result);
  to_rows(context, result, shape.out, shape.n, y);
}

void linear_backward(const Context& context, const LinearShape& shape, const float* x, const float* weight,
                     const float* dy, float* dx, float* dweight, float* dbias) {
  check(shape);
  const std::int64_t in = padded(shape.in) * shape.n, out = padded(shape.out) * shape.n;
  const std::shared_ptr<float> memory = context.workspace.floats(2 * in + out);
  float *const inputs = memory.get(), *const result = inputs + in, *const gradients = result + in;
  to_blocks(context, x, shape.in, shape.n, inputs);
  to_blocks(context, dy, shape.out, shape.n, gradients);
  outer_product(context, gradients, shape.out, inputs, shape.in, shape.n, dweight);
  for (std::int64_t c = 0; c < shape.out; ++c) {
    double sum = 0;
    for (std::int64_t i = 0; i < shape.n; ++i) sum += dy[i * shape.out + c];
    dbias[c] = static_cast<float>(sum);
  }
  if (dx == nullptr) return;
  multiply(context, shape.n, gradients, pack_transposed(context, weight, shape.out, shape.in), nullptr, result);
  to_rows(context, result, shape.in, shape.n, dx);
}

}  // namespace effnet::layers
