// Reference implementations of the training kernels: one plain loop per formula of training.h, in double. Each result
// has a bound of the rounding error that a float kernel may have, which is computed from the bounds of the operands.
// All pixels belong to one channel block. `before`: the sums before the kernel adds to them.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "effnet/kernels/training.h"

namespace effnet::kernels::reference {

inline constexpr double kUnit = 0x1p-24;  // unit roundoff of float

// A value, and a bound of the error of its computation in float. Each operation counts as two roundings (2 * kUnit),
// because a set without fused multiply-add rounds twice.
struct Bounded {
  double value = 0, error = 0;
};
Bounded exact(float x);
Bounded operator+(Bounded a, Bounded b);
Bounded operator*(Bounded a, Bounded b);
Bounded value_of(Epilogue kind, Bounded z, float low, float high);
Bounded derivative_of(Epilogue kind, Bounded z, float low, float high);

// A sum in any order. Its error bound is (count + 1) roundings of the sum of magnitudes (Higham, ch. 3).
class Sum {
 public:
  void add(Bounded term);
  Bounded total() const;

 private:
  double value_ = 0, error_ = 0, magnitude_ = 0;
  std::int64_t count_ = 0;
};

using Values = std::vector<Bounded>;

Values moments(const float* y, std::int64_t pixels, const float* before);
Values activate(Epilogue kind, const ActivationArgs& args);
Values derivatives(Epilogue kind, const ActivationArgs& args);
Values activate_sum(Epilogue kind, const ActivationArgs& args, const float* before);
Values se_sums(Epilogue kind, const ActivationArgs& args, const float* d, const float* before);
// kind may be null: then the derivative is 1 and the mean is 0.
Values activated_gradient(const Epilogue* kind, const ActivationArgs& args, const GradientArgs& gradient);
Values reduced(const ReduceArgs& args);                                                          // out
Values reduce_sums(const ReduceArgs& args, const float* before);                                 // [2][16]
Values weight_gradient(const WeightGradientArgs& args, std::int64_t rows, std::int64_t blocks);  // [rows][blocks][16]
Values depthwise_weight(const DepthwiseWeightArgs& args, std::int64_t kernel, std::int64_t stride);
Values depthwise_data_gradient(const DepthwiseDataGradientArgs& args, std::int64_t kernel, std::int64_t out_width);

}  // namespace effnet::kernels::reference
