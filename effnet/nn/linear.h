// A linear layer on own kernels (Debian's LibTorch has a BLAS of a few percent of the peak). Row-major: x [n][in],
// weight [out][in], y [n][out]. No torch.
#pragma once

#include <cstdint>

namespace effnet::nn {

struct LinearShape {
  std::int64_t n, in, out;
};

void linear_forward(const LinearShape& shape, const float* x, const float* weight, const float* bias, float* y);
// dx: null where it is not wanted.
void linear_backward(const LinearShape& shape, const float* x, const float* weight, const float* dy, float* dx,
                     float* dweight, float* dbias);

}  // namespace effnet::nn
