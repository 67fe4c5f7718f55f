// Linear layer. It is here because the BLAS of Debian's LibTorch reaches only a few percent of the CPU's peak. All
// tensors are row-major: x [n][in], weight [out][in], y [n][out]. Both functions throw Error(internal) unless n, in and
// out are positive.
#pragma once

#include <cstdint>

#include "effnet/layers/context.h"

namespace effnet::layers {

struct LinearShape {
  std::int64_t n, in, out;
};

void linear_forward(const Context& context, const LinearShape& shape, const float* x, const float* weight,
                    const float* bias, float* y);
// If dx is null, it is not computed.
void linear_backward(const Context& context, const LinearShape& shape, const float* x, const float* weight,
                     const float* dy, float* dx, float* dweight, float* dbias);

}  // namespace effnet::layers
