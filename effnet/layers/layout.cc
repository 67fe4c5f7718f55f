#include "effnet/layers/layout.h"

namespace effnet::layers {

void to_blocks(const Context& context, const float* rows, std::int64_t channels, std::int64_t pixels, float* blocked) {
  context.loops.parallel(pixels, [&](std::int64_t first, std::int64_t last) {
    context.kernels.training.gather({.from = rows + first * channels,
                                     .to = blocked + first * kBlock,
                                     .channels = channels,
                                     .pixels = last - first,
                                     .block = pixels * kBlock});
  });
}

void to_rows(const Context& context, const float* blocked, std::int64_t channels, std::int64_t pixels, float* rows) {
  context.loops.parallel(pixels, [&](std::int64_t first, std::int64_t last) {
    context.kernels.training.scatter({.from = blocked + first * kBlock,
                                      .to = rows + first * channels,
                                      .channels = channels,
                                      .pixels = last - first,
                                      .block = pixels * kBlock});
  });
}

}  // namespace effnet::layers
