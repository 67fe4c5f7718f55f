#include "effnet/engine/steps/elementwise.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kMapPixels = 256;  // of a task: 16 KB in, 16 KB out

}  // namespace

void BlockImageStep::run(const Context& context) const noexcept {
  const ImageLayout& layout = spec_.layout;
  const Chw& chw = layout.in;
  const std::int64_t rows = spec_.images * chw.h;
  context.team.step(rows, [&](std::int64_t index, int) noexcept {
    const std::int64_t image = index / chw.h, y = index % chw.h;
    const float* const row = context.buffer(spec_.in) + image * layout.image_values() +
                             (layout.top + y) * layout.row_values() + layout.left * chw.c;
    for (std::int64_t block = 0; block < kernels::blocks_of(chw.c); ++block) {
      const std::int64_t channels = std::min(kBlock, chw.c - block * kBlock);
      float* to = context.buffer(spec_.out) + (block * rows + index) * chw.w * kBlock;
      for (std::int64_t x = 0; x < chw.w; ++x, to += kBlock) {
        std::copy_n(row + x * chw.c + block * kBlock, channels, to);
        std::fill(to + channels, to + kBlock, 0.0F);
      }
    }
  });
}

MapStep::MapStep(const MapSpec& spec)
    : spec_(spec),
      activated_(spec.activation == graph::Activation::sigmoid ? Activated{} : activated(spec.activation)),
      run_pixels_(std::min(spec.shape.chw.pixels(), kMapPixels)),
      runs_(divide_up(spec.shape.chw.pixels(), run_pixels_)) {}

void MapStep::run(const Context& context) const noexcept {
  const std::int64_t images = spec_.shape.images;
  const std::int64_t pixels = spec_.shape.chw.pixels();
  const auto piece = [&](std::int64_t index) {
    const std::int64_t first = index % runs_ * run_pixels_;
    const std::int64_t plane = index / runs_;  // block * images + image
    const std::int64_t block = plane / images;
    const std::int64_t at = (plane * pixels + first) * kBlock;
    kernels::MapArgs args{};
    args.a = context.buffer(spec_.in) + at;
    args.b = spec_.addend == kNoBuffer ? nullptr : context.buffer(spec_.addend) + at;
    args.out = context.buffer(spec_.out) + at;
    args.pixels = std::min(run_pixels_, pixels - first);
    args.low = activated_.low;
    args.high = activated_.high;
    if (spec_.scale != kNoBuffer) args.scale = context.buffer(spec_.scale) + plane * kBlock;
    if (spec_.weight >= 0) {
      args.scale = context.weight(spec_.weight) + block * kBlock;
      args.shift = context.weight(spec_.bias) + block * kBlock;
    }
    const bool sigmoid = spec_.activation == graph::Activation::sigmoid;
    (sigmoid ? context.set.sigmoid : context.set.map[static_cast<std::size_t>(activated_.epilogue)])(args);
  };
  // Small maps go together: a gate's one pixel a block is not worth a second thread.
  const std::int64_t pieces = spec_.shape.blocks() * images * runs_;
  const std::int64_t pieces_a_task = kMapPixels / run_pixels_;
  context.team.step(divide_up(pieces, pieces_a_task), [&](std::int64_t task, int) noexcept {
    const std::int64_t last = std::min(pieces, (task + 1) * pieces_a_task);
    for (std::int64_t index = task * pieces_a_task; index < last; ++index) piece(index);
  });
}

void PoolStep::run(const Context& context) const noexcept {
  const Chw& in = spec_.in_shape;
  const Chw& out = spec_.out_shape;
  const kernels::PoolFn pool = spec_.kind == graph::PoolKind::max ? context.set.max_pool : context.set.average_pool;
  context.team.step(kernels::blocks_of(in.c) * spec_.images, [&](std::int64_t plane, int) noexcept {
    kernels::PoolArgs args{};
    args.in = context.buffer(spec_.in) + plane * in.pixels() * kBlock;
    args.in_h = in.h;
    args.in_w = in.w;
    args.out_w = out.w;
    args.left = -spec_.window.left;
    args.kernel = spec_.window.kernel;
    args.stride = spec_.window.stride;
    args.count_padding = spec_.count_padding;
    for (std::int64_t y = 0; y < out.h; ++y) {
      args.top = y * spec_.window.stride - spec_.window.top;
      args.out = context.buffer(spec_.out) + (plane * out.h + y) * out.w * kBlock;
      pool(args);
    }
  });
}

void GlobalPoolStep::run(const Context& context) const noexcept {
  const std::int64_t planes = spec_.shape.blocks() * spec_.shape.images;
  const std::int64_t summands = spec_.bands > 0 ? spec_.bands : spec_.shape.chw.pixels();
  // Bands are a few vectors a plane: not worth a second thread.
  const std::int64_t planes_a_task = spec_.bands > 0 ? planes : 1;
  context.team.step(divide_up(planes, planes_a_task), [&](std::int64_t task, int) noexcept {
    for (std::int64_t plane = task * planes_a_task; plane < std::min(planes, (task + 1) * planes_a_task); ++plane) {
      alignas(kernels::kAlignment) std::array<float, kBlock> mean{};
      context.set.sum(context.buffer(spec_.in) + plane * summands * kBlock, summands, mean.data());
      for (float& value : mean) value /= static_cast<float>(spec_.shape.chw.pixels());
      std::memcpy(context.buffer(spec_.out) + plane * kBlock, mean.data(), sizeof(mean));
    }
  });
}

void ConcatStep::run(const Context& context) const noexcept {
  const std::int64_t pixels = spec_.shape.pixels();
  // A task is one block of the output: whole blocks of an input, or lanes of several.
  context.team.step(spec_.shape.blocks(), [&](std::int64_t block, int) noexcept {
    float* const out = context.buffer(spec_.out) + block * pixels * kBlock;
    const std::int64_t lanes = std::min(kBlock, spec_.shape.chw.c - block * kBlock);
    std::int64_t first = 0;  // channel of the output
    for (std::size_t i = 0; i < spec_.in.size(); first += spec_.channels[i++]) {
      const std::int64_t begin = std::max(first, block * kBlock);
      const std::int64_t end = std::min(first + spec_.channels[i], block * kBlock + lanes);
      if (begin >= end) continue;
      const float* const in = context.buffer(spec_.in[i]);
      if ((begin - first) % kBlock == 0 && begin % kBlock == 0 && end - begin == kBlock) {
        std::memcpy(out, in + (begin - first) * pixels, static_cast<std::size_t>(pixels * kBlock) * sizeof(float));
        continue;
      }
      for (std::int64_t c = begin; c < end; ++c) {
        const float* from = in + (c - first) / kBlock * pixels * kBlock + (c - first) % kBlock;
        for (std::int64_t p = 0; p < pixels; ++p) out[p * kBlock + c % kBlock] = from[p * kBlock];
      }
    }
    // What kernels touch beyond the channels must be finite.
    for (std::int64_t c = lanes; c < std::min(kBlock, kernels::lanes_of(lanes)); ++c) {
      for (std::int64_t p = 0; p < pixels; ++p) out[p * kBlock + c] = 0;
    }
  });
}

void PadStep::run(const Context& context) const noexcept {
  const Chw& in = spec_.in_shape;
  const Chw& out = spec_.out_shape;
  const std::int64_t zeros = std::clamp<std::int64_t>(spec_.left, 0, out.w);
  const std::int64_t cut = std::max<std::int64_t>(-spec_.left, 0);
  const std::int64_t copied = std::clamp<std::int64_t>(in.w - cut, 0, out.w - zeros);
  const auto bytes = [](std::int64_t count) { return static_cast<std::size_t>(count * kBlock) * sizeof(float); };
  context.team.step(kernels::blocks_of(in.c) * spec_.images, [&](std::int64_t plane, int) noexcept {
    for (std::int64_t y = 0; y < out.h; ++y) {
      float* const to = context.buffer(spec_.out) + (plane * out.h + y) * out.w * kBlock;
      const std::int64_t row = y - spec_.top;
      if (row < 0 || row >= in.h) {
        std::memset(to, 0, bytes(out.w));
        continue;
      }
      const float* const from = context.buffer(spec_.in) + ((plane * in.h + row) * in.w + cut) * kBlock;
      std::memset(to, 0, bytes(zeros));
      std::memcpy(to + zeros * kBlock, from, bytes(copied));
      std::memset(to + (zeros + copied) * kBlock, 0, bytes(out.w - zeros - copied));
    }
  });
}

}  // namespace effnet::engine
