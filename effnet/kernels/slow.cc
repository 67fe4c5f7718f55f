#include "effnet/kernels/slow.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace effnet::kernels::slow {
namespace {

// value(c, p) of a tensor of one channel block.
std::int64_t at(std::int64_t pixel, std::int64_t lane) { return pixel * kBlock + lane; }

// combine(tap) for the taps of output x's window that lie inside of the picture; returns how many there are.
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

void product(const ProductArgs& args, std::int64_t pixels, std::int64_t lanes, Epilogue kind) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t n = 0; n < lanes; ++n) {
      const std::int64_t place = n / kBlock * args.out_block + args.offsets[p] + n % kBlock;
      double sum = args.bias[n];
      const float* weight = args.weight + n;
      for (std::int64_t segment = 0; segment < args.segments; ++segment) {
        const std::int64_t depth = segment + 1 < args.segments ? args.depth : args.last_depth;
        for (std::int64_t k = 0; k < depth; ++k) {
          sum += double{args.a[segment * args.a_segment + at(p, k)]} * *weight;
          weight += lanes;
        }
      }
      if (args.residual != nullptr) sum += args.residual[place];
      args.out[place] = static_cast<float>(epilogue(kind, sum, args.low, args.high));
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

void max_pool(const PoolArgs& args) {
  for (std::int64_t x = 0; x < args.out_w; ++x) {
    for (std::int64_t c = 0; c < kBlock; ++c) {
      float most = -std::numeric_limits<float>::infinity();
      for_each_tap(args, x, c, [&](float value) {
        if (value > most || std::isnan(value)) most = value;
      });
      args.out[at(x, c)] = most;
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

}  // namespace effnet::kernels::slow
