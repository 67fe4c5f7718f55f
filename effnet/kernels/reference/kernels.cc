#include "effnet/kernels/reference/kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace effnet::kernels::reference {
namespace {

// Index of a value in a tensor of one channel block.
std::int64_t at(std::int64_t pixel, std::int64_t lane) { return pixel * kBlock + lane; }

// Calls combine(tap) for each tap of output x's window that is inside the image. Returns the number of these taps.
template <class Combine>
std::int64_t for_each_tap(const PoolArgs& args, std::int64_t x, std::int64_t lane, Combine combine) {
  std::int64_t taps = 0;
  for (std::int64_t row = args.top; row < args.top + args.kernel; ++row) {
    const std::int64_t left = args.left + x * args.stride;
    for (std::int64_t column = left; column < left + args.kernel; ++column) {
      if (row < 0 || row >= args.in_h || column < 0 || column >= args.in_w) continue;
      combine(args.in[at(row * args.in_w + column, lane)]);
      ++taps;
    }
  }
  return taps;
}

double mapped(const MapArgs& args, std::int64_t pixel, std::int64_t lane) {
  double x = args.a[at(pixel, lane)];
  if (args.scale != nullptr) x *= args.scale[lane];
  if (args.shift != nullptr) x += args.shift[lane];
  if (args.b != nullptr) x += args.b[at(pixel, lane)];
  return x;
}

}  // namespace

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double epilogue(Epilogue kind, double x, float low, float high) {
  if (std::isnan(x)) return x;
  if (kind == Epilogue::silu) return x * sigmoid(x);
  if (kind == Epilogue::hard_swish) return x * std::clamp(x + 3, 0.0, 6.0) / 6;
  return std::clamp(x, double{low}, double{high});
}

void gemm(const GemmArgs& args, std::int64_t pixels, std::int64_t lanes, Epilogue kind) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t n = 0; n < lanes; ++n) {
      const std::int64_t index = n / kBlock * args.out_block + args.offsets[p] + n % kBlock;
      double sum = args.bias[n];
      const float* weight = args.weight + n;
      for (std::int64_t segment = 0; segment < args.segments; ++segment) {
        const std::int64_t depth = segment + 1 < args.segments ? args.depth : args.last_depth;
        for (std::int64_t k = 0; k < depth; ++k) {
          sum += double{args.a[segment * args.a_segment + at(p, k)]} * *weight;
          weight += lanes;
        }
      }
      if (args.residual != nullptr) sum += args.residual[index];
      args.out[index] = static_cast<float>(epilogue(kind, sum, args.low, args.high));
    }
  }
}

void depthwise(const DepthwiseArgs& args, std::int64_t kernel, std::int64_t stride, std::int64_t lanes, Epilogue kind) {
  for (std::int64_t x = 0; x < args.width; ++x) {
    for (std::int64_t c = 0; c < lanes; ++c) {
      double sum = args.bias[c];
      for (std::int64_t ky = 0; ky < kernel; ++ky) {
        for (std::int64_t kx = 0; kx < kernel; ++kx) {
          sum += double{args.rows[ky][at(x * stride + kx, c)]} * args.weight[at(ky * kernel + kx, c)];
        }
      }
      args.out[at(x, c)] = static_cast<float>(epilogue(kind, sum, args.low, args.high));
      if (args.sums != nullptr) args.sums[c] += args.out[at(x, c)];
    }
  }
}

void depthwise_pair(const DepthwisePairArgs& args, std::int64_t kernel, std::int64_t lanes, Epilogue kind,
                    bool magnitudes) {
  float second[kBlock] = {};
  for (std::int64_t x = 0; x < args.width; ++x) {
    for (std::int64_t c = 0; c < lanes; ++c) {
      double y[2] = {args.bias[c], args.bias[c]};
      if (magnitudes) y[0] = y[1] = std::abs(y[0]);
      for (std::int64_t kx = 0; kx < kernel; ++kx) {
        // d(row): an input value. term(): the product of one packed weight and d(a) + sign * d(b).
        const auto d = [&](std::int64_t row) { return double{args.rows[row][at(x + kx, c)]}; };
        const auto product = [&](std::int64_t position, double sum, double sum_of_magnitudes) {
          const double weight = args.weight[at(position * kernel + kx, c)];
          return magnitudes ? std::abs(weight) * sum_of_magnitudes : weight * sum;
        };
        const auto term = [&](std::int64_t position, std::int64_t a, double sign, std::int64_t b) {
          return product(position, d(a) + sign * d(b), std::abs(d(a)) + std::abs(d(b)));
        };
        // F(2, 3): rows 0..3.
        const double both = term(1, 1, 1, 2), difference = term(2, 2, -1, 1);
        y[0] += term(0, 0, -1, 2) + both + difference;
        y[1] += both + (magnitudes ? difference : -difference) + term(3, 3, -1, 1);
        if (kernel == 3) continue;
        // F(2, 2): rows 3..5.
        const double middle = product(5, d(4), std::abs(d(4)));
        y[0] += term(4, 3, -1, 4) + middle;
        y[1] += middle + term(6, 5, -1, 4);
      }
      for (std::size_t row = 0; row < 2 && args.out[row] != nullptr; ++row) {
        float& out = args.out[row][at(x, c)];
        out = static_cast<float>(magnitudes ? y[row] : epilogue(kind, y[row], args.low, args.high));
        if (args.sums != nullptr) (row == 0 ? args.sums : second)[c] += out;
      }
    }
  }
  for (std::int64_t c = 0; args.sums != nullptr && c < lanes; ++c) args.sums[c] += second[c];
}

void max_pool(const PoolArgs& args) {
  for (std::int64_t x = 0; x < args.out_w; ++x) {
    for (std::int64_t c = 0; c < kBlock; ++c) {
      float largest = -std::numeric_limits<float>::infinity();
      for_each_tap(args, x, c, [&](float value) {
        if (value > largest || std::isnan(value)) largest = value;
      });
      args.out[at(x, c)] = largest;
    }
  }
}

void average_pool(const PoolArgs& args) {
  for (std::int64_t x = 0; x < args.out_w; ++x) {
    for (std::int64_t c = 0; c < kBlock; ++c) {
      double sum = 0;
      const std::int64_t taps = for_each_tap(args, x, c, [&](float value) { sum += value; });
      const std::int64_t count = args.count_padding ? args.kernel * args.kernel : taps;
      args.out[at(x, c)] = static_cast<float>(sum / static_cast<double>(count));
    }
  }
}

void map(const MapArgs& args, Epilogue kind) {
  for (std::int64_t p = 0; p < args.pixels; ++p) {
    for (std::int64_t c = 0; c < kBlock; ++c) {
      args.out[at(p, c)] = static_cast<float>(epilogue(kind, mapped(args, p, c), args.low, args.high));
    }
  }
}

void map_sigmoid(const MapArgs& args) {
  for (std::int64_t p = 0; p < args.pixels; ++p) {
    for (std::int64_t c = 0; c < kBlock; ++c) args.out[at(p, c)] = static_cast<float>(sigmoid(mapped(args, p, c)));
  }
}

void sum(const float* in, std::int64_t pixels, float* sums) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < kBlock; ++c) sums[c] += in[at(p, c)];
  }
}

void scale_rows(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to) {
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t n = 0; n < lanes; ++n) to[k * lanes + n] = from[k * lanes + n] * scale[k];
  }
}

void winograd_input(const WinogradInputArgs& args, bool magnitudes) {
  for (std::int64_t t = 0; t < args.tiles; ++t) {
    for (std::int64_t lane = 0; lane < kBlock; ++lane) {
      Square<4> d{};
      for (std::size_t r = 0; r < 4; ++r) {
        for (std::size_t c = 0; c < 4; ++c) {
          const std::int64_t x = args.x + 2 * t + static_cast<std::int64_t>(c);
          if (x >= 0 && x < args.width) d[r][c] = args.rows[r][at(x, lane)];
        }
      }
      const Square<4> result = transform(kWinogradInput, d, magnitudes);
      for (std::size_t i = 0; i < 16; ++i) {
        args.out[static_cast<std::int64_t>(i) * args.position + at(t, lane)] = static_cast<float>(result[i / 4][i % 4]);
      }
    }
  }
}

void winograd_output(const WinogradOutputArgs& args, Epilogue kind, bool magnitudes) {
  for (std::int64_t t = 0; t < args.tiles; ++t) {
    for (std::int64_t lane = 0; lane < kBlock; ++lane) {
      Square<4> m{};
      for (std::size_t i = 0; i < 16; ++i) {
        m[i / 4][i % 4] = args.in[static_cast<std::int64_t>(i) * args.position + at(t, lane)];
      }
      const Square<2> sums = transform(kWinogradOutput, m, magnitudes);
      for (std::size_t r = 0; r < 2; ++r) {
        for (std::size_t c = 0; c < 2; ++c) {
          const std::int64_t x = 2 * t + static_cast<std::int64_t>(c);
          if (args.rows[r] == nullptr || x >= args.width) continue;
          const double bias = args.bias[lane];
          const double residual = args.residual[r] == nullptr ? 0 : args.residual[r][at(x, lane)];
          args.rows[r][at(x, lane)] =
              static_cast<float>(magnitudes ? sums[r][c] + std::abs(bias) + std::abs(residual)
                                            : epilogue(kind, sums[r][c] + bias + residual, args.low, args.high));
        }
      }
    }
  }
}

}  // namespace effnet::kernels::reference
