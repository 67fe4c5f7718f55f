#include "effnet/engine/synthetic_images.h"

#include <array>
#include <cmath>
#include <span>

#include "effnet/base/philox.h"

namespace effnet::engine {
namespace {

constexpr std::uint64_t kOctaves = 7;  // the sides of their patches are the image side divided by 1, 2, 4, ..., 64

void fill_white(const Philox& numbers, std::span<float> plane, std::int64_t task) {
  numbers.fill_normal(plane, static_cast<std::uint64_t>(task) * plane.size(), 1.0F);
}

void fill_octaves(const Philox& numbers, const Chw& shape, std::span<float> plane, std::int64_t task) {
  constexpr std::uint64_t kFinest = 1 << (kOctaves - 1);
  std::array<float, kOctaves * kFinest * kFinest> patches;
  numbers.fill_normal(patches, static_cast<std::uint64_t>(task) * patches.size(), 1 / std::sqrt(float{kOctaves}));
  for (std::int64_t y = 0; y < shape.h; ++y) {
    for (std::int64_t x = 0; x < shape.w; ++x) {
      float sum = 0;
      for (std::uint64_t octave = 0; octave < kOctaves; ++octave) {
        const auto row = static_cast<std::uint64_t>((y << octave) / shape.h);
        const auto column = static_cast<std::uint64_t>((x << octave) / shape.w);
        sum += patches[(octave * kFinest + row) * kFinest + column];
      }
      plane[static_cast<std::size_t>(y * shape.w + x)] = sum;
    }
  }
}

}  // namespace

std::vector<float> synthetic_images(const Chw& shape, std::int64_t batch, std::uint64_t seed, ThreadPool& pool) {
  std::vector<float> images(static_cast<std::size_t>(batch * shape.numel()));
  const Philox white(seed, stream_of("synthetic pictures: white noise"));
  const Philox octaves(seed, stream_of("synthetic pictures: octaves"));
  const auto pixels = static_cast<std::size_t>(shape.pixels());
  pool.parallel_for(batch * shape.c, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {  // a task is one plane
      const auto plane = std::span(images).subspan(static_cast<std::size_t>(task) * pixels, pixels);
      if (task / shape.c % 2 == 0) {
        fill_white(white, plane, task);
      } else {
        fill_octaves(octaves, shape, plane, task);
      }
    }
  });
  return images;
}

}  // namespace effnet::engine
