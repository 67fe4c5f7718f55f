// A linear layer (Debian's LibTorch has a BLAS of a few percent of the peak). Row-major: x [n][in], weight [out][in],
// y [n][out].
#pragma once

#include <cstdint>

#include "effnet/layers/context.h"

namespace effnet::layers {

struct LinearShape {
  std::int64_t n, in, out;
};

void linear_forward(const Context& context, const LinearShape& shape, const float* x, const float* weight,
                    const float* bias, float* y);
// dx: null where it is not wanted.
void linear_backward(const Context& context, const LinearShape& shape, const float* x, const float* weight,
                     const float* dy, float* dx, float* dweight, float* dbias);

}  // namespace effnet::layers
