// The kernels' slow twins: the same arguments, one loop for one formula of kernels.h, sums in double in that formula's
// order, exponentials of libm. What kernels are tested against, and what to read first about one. Sums over pixels stay
// in float: there the order is part of the promise, so kernels give the same bits.
#pragma once

#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::kernels::slow {

double epilogue(Epilogue kind, double x, float low, float high);  // NaN gives NaN
double sigmoid(double x);

void product(const ProductArgs& args, std::int64_t pixels, std::int64_t lanes, Epilogue kind);
void depthwise(const DepthwiseArgs& args, std::int64_t kernel, std::int64_t stride, std::int64_t lanes, Epilogue kind);
void max_pool(const PoolArgs& args);  // NaN passes
void average_pool(const PoolArgs& args);
void map(const MapArgs& args, Epilogue kind);
void map_sigmoid(const MapArgs& args);
void sum(const float* in, std::int64_t pixels, float* sums);
void scale_rows(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to);

}  // namespace effnet::kernels::slow
