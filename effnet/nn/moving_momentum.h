// What a batch norm's moving statistics keep in a training pass: one rule for LibTorch's steps and the own kernels.
#pragma once

namespace effnet::nn {

// The batch norm's own momentum, at most `most` (Pass::most_momentum). One of 1 means statistics that stay as they are,
// whatever `most` is.
inline double moving_momentum(double own, double most) { return own < 1 && most < own ? most : own; }

}  // namespace effnet::nn
