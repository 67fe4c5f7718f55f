#include "effnet/nn/linear.h"

#include <algorithm>
#include <memory>

#include "effnet/nn/blocked.h"
#include "effnet/nn/parallel.h"
#include "effnet/nn/workspace.h"

namespace effnet::nn {
namespace {

// y = x * weight, tiles of output channels on several threads. x and y are blocked over n.
void multiply_tiles(const LinearShape& shape, const float* x, const float* packed, const float* bias, float* y) {
  const std::int64_t tile = own_kernels().base.tile, all = padded(shape.out), block = shape.n * kBlock;
  parallel((all + tile - 1) / tile, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t begin = first * tile, end = std::min(last * tile, all);
    multiply(x, block, shape.in, packed + begin * shape.in, end - begin, bias == nullptr ? nullptr : bias + begin,
             y + begin / kBlock * block, block, shape.n);
  });
}

}  // namespace

void linear_forward(const LinearShape& shape, const float* x, const float* weight, const float* bias, float* y) {
  const ParallelScope scope;
  const std::int64_t block = shape.n * kBlock, in = padded(shape.in) * shape.n, out = padded(shape.out) * shape.n;
  const std::shared_ptr<float> memory = workspace(in + out);
  std::vector<float> biases(static_cast<std::size_t>(padded(shape.out)));
  std::copy_n(bias, shape.out, biases.begin());
  gather(x, shape.in, 0, shape.n, memory.get(), block);
  multiply_tiles(shape, memory.get(), pack(weight, shape.out, shape.in, shape.in, 1).data(), biases.data(),
                 memory.get() + in);
  scatter(memory.get() + in, block, shape.out, 0, shape.n, nullptr, y);
}

void linear_backward(const LinearShape& shape, const float* x, const float* weight, const float* dy, float* dx,
                     float* dweight, float* dbias) {
  const ParallelScope scope;
  const std::int64_t block = shape.n * kBlock, in = padded(shape.in) * shape.n, out = padded(shape.out) * shape.n;
  const std::shared_ptr<float> memory = workspace(2 * in + out);
  float *const inputs = memory.get(), *const result = inputs + in, *const gradients = result + in;
  gather(x, shape.in, 0, shape.n, inputs, block);
  gather(dy, shape.out, 0, shape.n, gradients, block);
  outer_product(gradients, shape.out, inputs, shape.in, shape.n, dweight);
  for (std::int64_t c = 0; c < shape.out; ++c) {
    double sum = 0;
    for (std::int64_t i = 0; i < shape.n; ++i) sum += dy[i * shape.out + c];
    dbias[c] = static_cast<float>(sum);
  }
  if (dx == nullptr) return;
  multiply_tiles({shape.n, shape.out, shape.in}, gradients, pack(weight, shape.in, 1, shape.out, shape.in).data(),
                 nullptr, result);
  scatter(result, block, shape.in, 0, shape.n, nullptr, dx);
}

}  // namespace effnet::nn
