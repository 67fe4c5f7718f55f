// Times the GEMM and depthwise kernels on the shapes of bench/shapes.txt, on one thread:
//
//   kernels_bench [ISA] [FILTER] [EPILOGUE]
//
//   FILTER     only lines of bench/shapes.txt that contain this text, such as `efficientnet_b0    depthwise`; empty:
//   all EPILOGUE   silu (the default), clamp or hard_swish
//
// Prints one line per shape: minimum time, GFLOP/s (2 per multiply-add, without padding lanes), and the share of this
// core's peak, which is measured first. After the shapes of a network, prints the sum over its layers. Only kernels are
// timed: the windows of dense k x k convolutions are already gathered in memory, images are already padded, and no
// other code of a network runs between two layers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/kernels/kernels.h"
#include "effnet/kernels/peak.h"

namespace effnet::kernels {
namespace {

struct Shape {
  std::string network, op;
  std::int64_t kernel, stride, in_channels, in_h, in_w, channels, h, w, layers;
  bool depthwise() const { return op == "depthwise"; }
  std::int64_t window() const { return kernel * kernel; }
  double flops() const {
    return 2.0 * static_cast<double>(h * w * channels * window() * (depthwise() ? 1 : in_channels));
  }
};

std::vector<Shape> read_shapes(const std::string& path, const std::string& filter) {
  std::ifstream file(path);
  if (!file) throw environment_error("cannot read the list of shapes (got {}, expected a readable file)", path);
  std::vector<Shape> shapes;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#' || line.find(filter) == std::string::npos) continue;
    std::istringstream words(line);
    Shape s;
    words >> s.network >> s.op >> s.kernel >> s.stride >> s.in_channels >> s.in_h >> s.in_w >> s.channels >> s.h >>
        s.w >> s.layers;
    if (!words) throw input_error("{}: malformed line (got \"{}\", expected 11 columns)", path, line);
    shapes.push_back(s);
  }
  return shapes;
}

// Returns the seconds per call: the minimum of several measurements of at least 20 us each, which take 30 ms in total.
template <class Function>
double seconds_of(Function function) {
  using Clock = std::chrono::steady_clock;
  const auto measure = [&](int calls) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) function();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  int calls = 1;
  while (measure(calls) < 20e-6) calls *= 2;
  double least = std::numeric_limits<double>::max();
  for (double total = 0; total < 0.03;) {
    const double time = measure(calls);
    total += time;
    least = std::min(least, time / calls);
  }
  return least;
}

// 64-byte aligned values in (-1, 1), without zeros and denormals, because those could change the speed.
class Values {
 public:
  explicit Values(std::int64_t size) : memory_(static_cast<std::size_t>(size + 16)) {
    for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = static_cast<float>(i * 7 % 31) / 16 - 0.97F;
    void* start = memory_.data();
    std::size_t space = memory_.size() * sizeof(float);
    data_ = static_cast<float*>(std::align(kAlignment, static_cast<std::size_t>(size) * sizeof(float), start, space));
  }
  float* data() const { return data_; }

 private:
  std::vector<float> memory_;
  float* data_;
};

double gemm_seconds(const KernelSet& set, const Shape& s, Epilogue epilogue) {
  const std::int64_t pixels = s.h * s.w, depth = s.in_channels * s.window();
  const Values in(blocked_floats(depth, pixels)), out(blocked_floats(s.channels, pixels));
  const Values weight(depth * lanes_of(s.channels)), bias(lanes_of(s.channels));
  std::vector<std::int32_t> offsets;
  offsets.reserve(static_cast<std::size_t>(set.heights[0]));
  for (std::int32_t p = 0; p < set.heights[0]; ++p) offsets.push_back(16 * p);
  return seconds_of([&] {
    for (std::int64_t n = 0; n < s.channels; n += set.tile) {
      const std::int64_t lanes = lanes_of(std::min(set.tile, s.channels - n));
      std::size_t height = set.first_height(lanes);
      for (std::int64_t p = 0; p < pixels; p += set.heights[height]) {
        while (set.heights[height] > pixels - p) ++height;
        set.gemm(height, lanes, epilogue)(
            {in.data() + p * kBlock, pixels * kBlock, blocks_of(depth), kBlock, (depth + kBlock - 1) % kBlock + 1,
             weight.data() + n * depth, bias.data() + n, in.data(), kBlock, 0,
             out.data() + (n / kBlock * pixels + p) * kBlock, pixels * kBlock, offsets.data(), nullptr, 0, 6});
      }
    }
  });
}

// pairs: uses depthwise_pair() with two rows per call. If the height is odd, the last call computes one row.
double depthwise_seconds(const KernelSet& set, const Shape& s, Epilogue epilogue, bool pairs) {
  const std::int64_t in_h = (s.h - 1) * s.stride + s.kernel, in_w = (s.w - 1) * s.stride + s.kernel;
  const std::int64_t taps = pairs ? depthwise_pair_positions(s.kernel) * s.kernel : s.window();
  const Values in(blocked_floats(s.channels, in_h * in_w)), out(blocked_floats(s.channels, s.h * s.w));
  const Values weight(blocks_of(s.channels) * taps * kBlock), bias(blocks_of(s.channels) * kBlock);
  float sums[kBlock] = {};
  std::vector<const float*> rows(static_cast<std::size_t>(s.kernel + 1));
  return seconds_of([&] {
    for (std::int64_t block = 0; block < blocks_of(s.channels); ++block) {
      const bool half = lanes_of(s.channels) - block * kBlock == 8;
      const float* const block_weight = weight.data() + block * taps * kBlock;
      const float* const block_bias = bias.data() + block * kBlock;
      for (std::int64_t y = 0; y < s.h; y += pairs ? 2 : 1) {
        for (std::size_t ky = 0; ky < rows.size(); ++ky) {
          const std::int64_t row = std::min(y * s.stride + static_cast<std::int64_t>(ky), in_h - 1);
          rows[ky] = in.data() + (block * in_h + row) * in_w * kBlock;
        }
        float* const to = out.data() + (block * s.h + y) * s.w * kBlock;
        if (pairs) {
          float* const second = y + 1 < s.h ? to + s.w * kBlock : nullptr;
          set.depthwise_pair(s.kernel, s.stride, half, epilogue)({.rows = rows.data(),
                                                                  .weight = block_weight,
                                                                  .bias = block_bias,
                                                                  .out = {to, second},
                                                                  .width = s.w,
                                                                  .sums = sums,
                                                                  .low = 0,
                                                                  .high = 6});
        } else {
          set.depthwise(s.kernel, s.stride, half, epilogue)({.rows = rows.data(),
                                                             .weight = block_weight,
                                                             .bias = block_bias,
                                                             .out = to,
                                                             .width = s.w,
                                                             .sums = sums,
                                                             .low = 0,
                                                             .high = 6});
        }
      }
    }
  });
}

Epilogue epilogue_of(std::string_view text) {
  for (const Epilogue epilogue : {Epilogue::clamp, Epilogue::silu, Epilogue::hard_swish}) {
    if (name(epilogue) == text) return epilogue;
  }
  throw usage_error("unknown epilogue (got {}, expected silu, clamp or hard_swish)", text);
}

void run(std::string_view isa, const std::string& filter, Epilogue epilogue) {
  const KernelSet& set = kernel_set({isa_of(isa)});
  const std::vector<Shape> shapes = read_shapes(EFFNET_SOURCE_DIR "/bench/shapes.txt", filter);
  const double peak = measured_peak_gflops(set.target.isa, 0.2);
  fmt::print("{}: peak {:.1f} GFLOP/s\n", name(set.target.isa), peak);
  double total = 0, total_flops = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Shape& s = shapes[i];
    const double seconds = s.depthwise() ? depthwise_seconds(set, s, epilogue, false) : gemm_seconds(set, s, epilogue);
    const auto line = [&](const std::string& what, double time, double flops) {
      fmt::print("{:<18} {:<44} {:10.2f} us {:8.1f} GFLOP/s {:5.1f} %\n", s.network, what, time * 1e6,
                 flops / time * 1e-9, flops / time * 1e-9 / peak * 100);
    };
    line(fmt::format("{} k{}s{} {} -> {} at {}x{}, {} times", s.op, s.kernel, s.stride, s.in_channels, s.channels, s.h,
                     s.w, s.layers),
         seconds, s.flops());
    if (s.depthwise() && set.depthwise_pair(s.kernel, s.stride, false, epilogue) != nullptr) {
      line("  the same, two rows at once", depthwise_seconds(set, s, epilogue, true), s.flops());
    }
    total += seconds * static_cast<double>(s.layers);
    total_flops += s.flops() * static_cast<double>(s.layers);
    if (i + 1 < shapes.size() && shapes[i + 1].network == s.network) continue;
    line("sum over layers", total, total_flops);
    total = total_flops = 0;
  }
}

}  // namespace
}  // namespace effnet::kernels

int main(int argc, char** argv) {
  try {
    using namespace effnet::kernels;
    run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", epilogue_of(argc > 3 ? argv[3] : "silu"));
  } catch (const effnet::Error& error) {
    fmt::print(stderr, "kernels_bench: {}\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
