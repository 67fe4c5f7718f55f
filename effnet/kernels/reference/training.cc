#include "effnet/kernels/reference/training.h"

#include <algorithm>

#include "effnet/kernels/reference/kernels.h"

namespace effnet::kernels::reference {
namespace {

Bounded z_of(const ActivationArgs& args, std::int64_t i) {
  const std::int64_t lane = i % kBlock;
  return exact(args.y[i]) * exact(args.scale[lane]) + exact(args.shift[lane]);
}
Bounded se_scale_of(const ActivationArgs& args, std::int64_t lane) {
  return args.se_scale == nullptr ? Bounded{1, 0} : exact(args.se_scale[lane]);
}
Bounded xhat_of(float y, float inverse, float offset) { return exact(y) * exact(inverse) + exact(offset); }

// The error of a derivative that jumps by 1 at `kink`: 1 if, within its error bound, z may be on either side of the
// kink, otherwise 0.
double jump_error(Bounded z, double kink) { return std::abs(z.value - kink) <= z.error ? 1 : 0; }

}  // namespace

Bounded exact(float x) { return {x, 0}; }
Bounded operator+(Bounded a, Bounded b) {
  const double value = a.value + b.value;
  return {value, a.error + b.error + 2 * kUnit * std::abs(value) + 0x1p-140};
}
Bounded operator*(Bounded a, Bounded b) {
  const double value = a.value * b.value;
  const double carried = std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error;
  return {value, carried + 2 * kUnit * std::abs(value) + 0x1p-126};
}

// test_support.h derives the Lipschitz constants and the epilogues' own errors.
Bounded value_of(Epilogue kind, Bounded z, float low, float high) {
  const double value = epilogue(kind, z.value, low, high), size = std::abs(z.value) + z.error;
  switch (kind) {
    case Epilogue::silu:
      return {value, 1.1 * z.error + std::abs(value) * (0x1p-20 + size * 0x1p-23) + size * 0x1p-125};
    case Epilogue::hard_swish:
      return {value, 1.5 * z.error + size * 0x1p-22};
    case Epilogue::clamp:
      break;
  }
  return {value, z.error};
}

Bounded derivative_of(Epilogue kind, Bounded z, float low, float high) {
  const double size = std::abs(z.value) + z.error;
  if (kind == Epilogue::silu) {
    // With s = sigmoid(z), the derivative is s (1 + z (1 - s)), and the magnitude of its own derivative is at most 1/2.
    // s has a relative error of 2^-21 + |z| 2^-23; its effect on the result is at most 1 + |z| times as large. 1 - s
    // has the error of one rounding of 1.
    const double s = sigmoid(z.value), value = s * (1 + z.value * (1 - s));
    return {value, 0.5 * z.error + s * (0x1p-21 + size * 0x1p-23) * (1 + size) + 8 * kUnit * (s + size * s) + 0x1p-125};
  }
  if (kind == Epilogue::hard_swish) {
    const double value = z.value <= -3 ? 0 : z.value >= 3 ? 1 : z.value / 3 + 0.5;
    return {value, z.error / 3 + 8 * kUnit + jump_error(z, -3) + jump_error(z, 3)};
  }
  return {z.value > low && z.value < high ? 1.0 : 0.0, jump_error(z, low) + jump_error(z, high)};
}

void Sum::add(Bounded term) {
  value_ += term.value;
  error_ += term.error;
  magnitude_ += std::abs(term.value) + term.error;
  ++count_;
}
Bounded Sum::total() const {
  return {value_, error_ + static_cast<double>(count_ + 1) * kUnit * 1.001 * magnitude_ + 0x1p-126};
}

Values moments(const float* y, std::int64_t pixels, const float* before) {
  Values result;
  for (std::int64_t lane = 0; lane < kBlock; ++lane) result.push_back(exact(before[lane]));
  for (const bool squared : {false, true}) {
    for (std::int64_t lane = 0; lane < kBlock; ++lane) {
      Sum sum;
      sum.add(exact(before[(squared ? 2 : 1) * kBlock + lane]));
      for (std::int64_t p = 0; p < pixels; ++p) {
        const Bounded d = exact(y[p * kBlock + lane]) + exact(-before[lane]);
        sum.add(squared ? d * d : d);
      }
      result.push_back(sum.total());
    }
  }
  return result;
}

Values activate(Epilogue kind, const ActivationArgs& args) {
  Values result;
  for (std::int64_t i = 0; i < args.pixels * kBlock; ++i) {
    const Bounded value = value_of(kind, z_of(args, i), args.low, args.high);
    result.push_back(args.se_scale == nullptr ? value : se_scale_of(args, i % kBlock) * value);
  }
  return result;
}

Values derivatives(Epilogue kind, const ActivationArgs& args) {
  Values result;
  for (std::int64_t i = 0; i < args.pixels * kBlock; ++i) {
    result.push_back(derivative_of(kind, z_of(args, i), args.low, args.high));
  }
  return result;
}

Values activate_sum(Epilogue kind, const ActivationArgs& args, const float* before) {
  Values result;
  for (std::int64_t lane = 0; lane < kBlock; ++lane) {
    Sum sum;
    sum.add(exact(before[lane]));
    for (std::int64_t p = 0; p < args.pixels; ++p) {
      sum.add(value_of(kind, z_of(args, p * kBlock + lane), args.low, args.high));
    }
    result.push_back(sum.total());
  }
  return result;
}

Values se_sums(Epilogue kind, const ActivationArgs& args, const float* d, const float* before) {
  Values result(static_cast<std::size_t>(kSeSums * kBlock));
  for (std::int64_t lane = 0; lane < kBlock; ++lane) {
    Sum sums[kSeSums];
    for (std::int64_t i = 0; i < kSeSums; ++i) sums[i].add(exact(before[i * kBlock + lane]));
    for (std::int64_t p = 0; p < args.pixels; ++p) {
      const std::int64_t i = p * kBlock + lane;
      const Bounded z = z_of(args, i), gradient = exact(d[i]), derivative = derivative_of(kind, z, args.low, args.high);
      const Bounded xhat = xhat_of(args.y[i], args.inverse[lane], args.offset[lane]);
      sums[0].add(gradient * value_of(kind, z, args.low, args.high));
      sums[1].add(gradient * derivative);
      sums[2].add(gradient * derivative * xhat);
      sums[3].add(derivative);
      sums[4].add(derivative * xhat);
    }
    for (std::int64_t i = 0; i < kSeSums; ++i) {
      result[static_cast<std::size_t>(i * kBlock + lane)] = sums[i].total();
    }
  }
  return result;
}

Values activated_gradient(const Epilogue* kind, const ActivationArgs& args, const GradientArgs& gradient) {
  Values result;
  for (std::int64_t i = 0; i < args.pixels * kBlock; ++i) {
    const std::int64_t lane = i % kBlock;
    Bounded dz = exact(gradient.d[i]) * exact(gradient.factor[lane]);
    if (kind != nullptr)
      dz = derivative_of(*kind, z_of(args, i), args.low, args.high) * (dz + exact(gradient.mean[lane]));
    // The terms may cancel each other, so the error bound depends on the size of each term, not on the size of the sum.
    const Bounded rest = exact(args.y[i]) * exact(gradient.c1[lane]) + exact(gradient.c2[lane]);
    Sum sum;
    sum.add(dz);
    sum.add(rest);
    result.push_back(sum.total());
  }
  return result;
}

Values reduced(const ReduceArgs& args) {
  Values result;
  for (std::int64_t i = 0; i < args.pixels * kBlock; ++i) {
    result.push_back(args.derivative == nullptr ? exact(args.d[i]) : exact(args.d[i]) * exact(args.derivative[i]));
  }
  return result;
}

Values reduce_sums(const ReduceArgs& args, const float* before) {
  const Values dz = reduced(args);
  Values result;
  for (const bool normalised : {false, true}) {
    for (std::int64_t lane = 0; lane < kBlock; ++lane) {
      Sum sum;
      sum.add(exact(before[(normalised ? kBlock : 0) + lane]));
      for (std::int64_t p = 0; p < args.pixels; ++p) {
        const Bounded term = dz[static_cast<std::size_t>(p * kBlock + lane)];
        sum.add(normalised ? term * xhat_of(args.y[p * kBlock + lane], args.inverse[lane], args.offset[lane]) : term);
      }
      result.push_back(sum.total());
    }
  }
  return result;
}

Values weight_gradient(const WeightGradientArgs& args, std::int64_t rows, std::int64_t blocks) {
  Values result;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t n = 0; n < blocks * kBlock; ++n) {
      Sum sum;
      if (args.accumulate) sum.add(exact(args.to[r * args.to_row + n]));
      for (std::int64_t p = 0; p < args.pixels; ++p) {
        sum.add(exact(args.a[p * kBlock + r]) * exact(args.b[n / kBlock * args.b_block + p * kBlock + n % kBlock]));
      }
      result.push_back(sum.total());
    }
  }
  return result;
}

Values depthwise_weight(const DepthwiseWeightArgs& args, std::int64_t kernel, std::int64_t stride) {
  Values result;
  for (std::int64_t tap = 0; tap < kernel * kernel; ++tap) {
    for (std::int64_t lane = 0; lane < kBlock; ++lane) {
      Sum sum;
      sum.add(exact(args.to[tap * kBlock + lane]));
      for (std::int64_t y = 0; y < args.height; ++y) {
        const float* const row = args.rows[y * stride + tap / kernel];
        for (std::int64_t x = 0; x < args.width; ++x) {
          sum.add(exact(row[(x * stride + tap % kernel) * kBlock + lane]) * exact(args.d[y][x * args.d_step + lane]));
        }
      }
      result.push_back(sum.total());
    }
  }
  return result;
}

Values depthwise_data_gradient(const DepthwiseDataGradientArgs& args, std::int64_t kernel, std::int64_t out_width) {
  Values result;
  for (std::int64_t j = 0; j < args.width; ++j) {
    for (std::int64_t lane = 0; lane < kBlock; ++lane) {
      Sum sum;
      for (std::int64_t i = 0; i < args.count; ++i) {
        for (std::int64_t x = 0; x < out_width; ++x) {
          const std::int64_t kx = j + args.left - 2 * x;
          if (kx < 0 || kx >= kernel) continue;
          sum.add(exact(args.rows[i][x * kBlock + lane]) *
                  exact(args.weight[(args.window[i] * kernel + kx) * kBlock + lane]));
        }
      }
      result.push_back(sum.total());
    }
  }
  return result;
}

}  // namespace effnet::kernels::reference
