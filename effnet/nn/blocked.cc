#include "effnet/nn/blocked.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "effnet/nn/moving_momentum.h"
#include "effnet/nn/parallel.h"
#include "effnet/nn/workspace.h"

namespace effnet::nn {
namespace {

using primitives::PrefetchQueue;

constexpr std::int64_t kLongest = 196;     // 14 tiles of 14 pixels, 7 * 28, 14 * 14
constexpr std::int64_t kFewestChunks = 8;  // where images are small: work for some threads

alignas(64) constexpr float kZeros[64] = {};

// dw (+)= rows^T columns of one chunk, in [rows padded][columns padded].
void add_outer_product(Pixels rows, std::int64_t row_channels, Pixels columns, std::int64_t column_channels,
                       std::int64_t pixels, bool accumulate, float* dw, PrefetchQueue* prefetch = nullptr) {
  const kernels::TrainingSet& set = own_kernels().training;
  const std::int64_t column_blocks = blocks_of(column_channels);
  for (std::int64_t c = 0; c < column_blocks;) {
    const std::int64_t wide = std::min(set.weight_blocks, column_blocks - c);
    for (std::int64_t r = 0; r < row_channels; r += set.weight_rows) {
      const float* const next = prefetch != nullptr ? prefetch->take(pixels) : nullptr;
      set.weight_gradient[wide - 1]({rows.data + r / kBlock * rows.block + r % kBlock, columns.data + c * columns.block,
                                     columns.block, dw + r * column_blocks * kBlock + c * kBlock,
                                     column_blocks * kBlock, pixels, accumulate,
                                     next != nullptr ? next : columns.data});
    }
    c += wide;
  }
}

void add_reads(const Source& source, const Chunk& chunk, std::int64_t batch_block, PrefetchQueue& prefetch) {
  for (std::int64_t b = 0; b < source.blocks; ++b) {
    for (const float* const tensor : source.reads)
      prefetch.add(tensor + b * batch_block + chunk.first * kBlock, chunk.pixels);
  }
}

}  // namespace

const OwnKernels& own_kernels() {
  static const kernels::Isa isa = kernels::chosen_isa();
  static const OwnKernels own{kernels::kernel_set({isa}), kernels::training_set({isa}),
                              primitives::TileSchedule(kernels::kernel_set({isa}))};
  return own;
}

Cut cut(std::int64_t images, std::int64_t pixels, std::int64_t floats_a_pixel) {
  Cut result;
  result.images = images;
  result.pixels = pixels;
  const std::int64_t step = own_kernels().base.tallest();                       // a chunk ends with a full tile
  const std::int64_t floats = own_kernels().base.cache_bytes / 1024 * 460 / 4;  // the rest is for weights and results
  const std::int64_t fitting = floats / floats_a_pixel / step * step;
  const std::int64_t most = std::clamp(fitting, step, kLongest);
  const std::int64_t together =
      std::max<std::int64_t>(1, std::min(most / pixels, (images + kFewestChunks - 1) / kFewestChunks));
  const std::int64_t parts = (pixels + most - 1) / most;
  const std::int64_t part = std::min(pixels, (pixels + parts - 1) / parts + step - 1) / step * step;
  const std::int64_t length = parts == 1 ? pixels : part;
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t at = 0; at < pixels; at += length) {
      const Segment segment{image, image * pixels + at, std::min(length, pixels - at)};
      const auto id = static_cast<std::int64_t>(result.segments.size());
      result.segments.push_back(segment);
      if (parts == 1 && image % together != 0) {
        result.chunks.back().pixels += segment.pixels;
        ++result.chunks.back().segments;
      } else {
        result.chunks.push_back({segment.first, segment.pixels, id, 1});
      }
      result.longest = std::max(result.longest, result.chunks.back().pixels);
    }
  }
  return result;
}

namespace {

// row(k, channel, count, to), as pack_panel() wants it. Panels are packed in parallel.
template <class Row>
OwnedMatrix packed(std::int64_t channels, std::int64_t depth, const Row& row) {
  OwnedMatrix matrix{{channels, depth, own_kernels().base.tile}, {}};
  matrix.values.resize(static_cast<std::size_t>(matrix.shape.floats()));
  parallel(matrix.shape.panels(), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) primitives::pack_panel(matrix.shape, i, matrix.values.data(), row);
  });
  return matrix;
}

}  // namespace

OwnedMatrix pack(const float* weight, std::int64_t rows, std::int64_t columns) {
  return packed(rows, columns, [=](std::int64_t k, std::int64_t channel, std::int64_t count, float* to) {
    const float* const from = weight + channel * columns + k;
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * columns];
  });
}

OwnedMatrix pack_transposed(const float* weight, std::int64_t rows, std::int64_t columns) {
  return packed(columns, rows, [=](std::int64_t k, std::int64_t channel, std::int64_t count, float* to) {
    std::copy_n(weight + k * columns + channel, count, to);
  });
}

void gemm_panels(const Gemm& gemm, std::int64_t first_panel, std::int64_t last_panel) {
  const OwnKernels& own = own_kernels();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  primitives::GemmRun run{};
  run.input = {gemm.a, gemm.a_block};
  run.depth = primitives::depth_of_channels(gemm.matrix.shape.depth);
  run.activation = {kernels::Epilogue::clamp, -kInfinity, kInfinity};
  run.out_block = gemm.out_block;
  run.prefetch.queue = gemm.prefetch;
  for (std::int64_t i = first_panel; i < last_panel; ++i) {
    run.panel = gemm.matrix.panel(i);
    run.bias = gemm.bias == nullptr ? kZeros : gemm.bias + run.panel.channel;
    const std::int64_t at = run.panel.channel / kBlock * gemm.out_block;
    run.out = gemm.out + at;
    run.residual = gemm.residual == nullptr ? nullptr : gemm.residual + at;
    primitives::gemm(own.base, own.schedule, run, gemm.pixels);
  }
}

Moments::Moments(std::vector<std::int64_t> slot_counts, std::int64_t channel_blocks)
    : values(slot_counts.size() * static_cast<std::size_t>(channel_blocks * 3 * kBlock)),
      counts(std::move(slot_counts)),
      blocks(channel_blocks) {}

void Moments::take(std::int64_t slot, std::int64_t block, const float* y, std::int64_t pixels) {
  float* const to = at(slot, block);
  std::copy(y, y + kBlock, to);
  own_kernels().training.moments(y, pixels, to);
}

Moments moments_of(const Cut& cut, std::int64_t channels) {
  std::vector<std::int64_t> counts;
  for (const Segment& segment : cut.segments) counts.push_back(segment.pixels);
  return {std::move(counts), blocks_of(channels)};
}

kernels::ActivationArgs activation_args(const Activated& activation, const Norm& norm, std::int64_t block,
                                        const float* y, std::int64_t pixels, const float* gate) {
  const std::int64_t at = block * kBlock;
  return {y,
          norm.scale.data() + at,
          norm.shift.data() + at,
          norm.inverse.data() + at,
          norm.offset.data() + at,
          gate,
          activation.low,
          activation.high,
          pixels};
}

namespace {

// Slots are joined by Chan, Golub and LeVeque's formula, and so are processes: sums of squares are about means as near
// as there are, so nothing cancels.
void take_batch(const Moments& moments, const NormMode& mode, Norm& norm) {
  const std::size_t size = norm.mean.size(), all = static_cast<std::size_t>(moments.blocks * kBlock);
  std::vector<double> mean(all), square(all);
  double pixels = 0;
  for (std::size_t slot = 0; slot < moments.counts.size(); ++slot) {
    const auto count = static_cast<double>(moments.counts[slot]);
    const double share = count / (pixels + count), cross = pixels * share;
    const float* part = moments.values.data() + slot * all * 3;
    for (std::size_t block = 0; block < all; block += kBlock, part += 3 * kBlock) {
      for (std::size_t lane = 0; lane < kBlock; ++lane) {
        const double sum = part[kBlock + lane], own_mean = sum / count;
        const double delta = part[lane] + own_mean - mean[block + lane];
        mean[block + lane] += delta * share;
        square[block + lane] += part[2 * kBlock + lane] - sum * own_mean + delta * delta * cross;
      }
    }
    pixels += count;
  }
  mean.resize(size);
  square.resize(size);
  if (mode.sum_all) {
    std::vector<double> sums(size + 1, pixels);
    for (std::size_t c = 0; c < size; ++c) sums[c] *= mean[c];
    mode.sum_all(sums);
    for (std::size_t c = 0; c < size; ++c) {
      const double all_mean = sums[c] / sums[size], delta = mean[c] - all_mean;
      mean[c] = all_mean;  // not mean - delta, which would differ between processes by rounding
      square[c] += delta * delta * pixels;
    }
    mode.sum_all(square);
    pixels = sums[size];
  }
  norm.pixels = pixels;
  norm.mean = std::move(mean);
  // A NaN must not become a variance of 0.
  for (std::size_t c = 0; c < size; ++c) norm.variance[c] = square[c] < 0 ? 0 : square[c] / pixels;
}

}  // namespace

Norm normalise(const Moments& moments, std::int64_t channels, const NormParameters& parameters, const NormMode& mode) {
  const auto size = static_cast<std::size_t>(channels), all = static_cast<std::size_t>(padded(channels));
  Norm norm;
  norm.mean.assign(parameters.moving_mean, parameters.moving_mean + channels);
  norm.variance.assign(parameters.moving_variance, parameters.moving_variance + channels);
  if (mode.training) take_batch(moments, mode, norm);
  for (std::vector<float>* values : {&norm.scale, &norm.shift, &norm.inverse, &norm.offset}) values->resize(all);
  for (std::size_t c = 0; c < size; ++c) {
    const double inverse = 1 / std::sqrt(norm.variance[c] + parameters.epsilon), scale = parameters.gamma[c] * inverse;
    norm.inverse[c] = static_cast<float>(inverse);
    norm.offset[c] = static_cast<float>(-norm.mean[c] * inverse);
    norm.scale[c] = static_cast<float>(scale);
    norm.shift[c] = static_cast<float>(parameters.beta[c] - norm.mean[c] * scale);
    if (!mode.training) continue;
    const double keep = moving_momentum(parameters.momentum, mode.most_momentum), take = 1 - keep;
    const double more = parameters.unbiased && norm.pixels > 1 ? norm.pixels / (norm.pixels - 1) : 1;
    parameters.moving_mean[c] = static_cast<float>(keep * parameters.moving_mean[c] + take * norm.mean[c]);
    parameters.moving_variance[c] =
        static_cast<float>(keep * parameters.moving_variance[c] + take * norm.variance[c] * more);
  }
  return norm;
}

NormGradient norm_gradient(const std::vector<double>& sums, const Norm& norm, const float* gamma, std::int64_t channels,
                           const NormMode& mode) {
  const auto size = static_cast<std::size_t>(channels), all = static_cast<std::size_t>(padded(channels));
  NormGradient result;
  for (std::vector<float>* values : {&result.c0, &result.c1, &result.c2}) values->resize(all);
  std::vector<double> totals(2 * size);  // of dz, then of dz * xhat
  for (std::size_t c = 0; c < size; ++c) {
    totals[c] = sums[c / kBlock * 2 * kBlock + c % kBlock];
    totals[size + c] = sums[c / kBlock * 2 * kBlock + kBlock + c % kBlock];
    result.c0[c] = static_cast<float>(double{gamma[c]} * norm.inverse[c]);
  }
  result.beta.assign(totals.begin(), totals.begin() + channels);
  result.gamma.assign(totals.begin() + channels, totals.end());
  if (!mode.training) return result;
  if (mode.sum_all) mode.sum_all(totals);
  for (std::size_t c = 0; c < size; ++c) {
    const double scale = double{gamma[c]} * norm.inverse[c];
    const double mean = totals[c] / norm.pixels, slope = totals[size + c] / norm.pixels;
    result.c1[c] = static_cast<float>(-scale * slope * norm.inverse[c]);
    result.c2[c] = static_cast<float>(-scale * (mean + slope * norm.offset[c]));
  }
  return result;
}

Source lies_in(const Cut& cut, const float* tensor) {
  return {[tensor, block = cut.all_pixels() * kBlock](const Chunk& chunk, float*, std::int64_t) {
    return Pixels{tensor + chunk.first * kBlock, block};
  }};
}

Source before_norm(const Cut& cut, const float* y, const float* dz, const NormGradient& norm, std::int64_t channels) {
  const std::int64_t blocks = blocks_of(channels), batch_block = cut.all_pixels() * kBlock;
  return {[=, &norm](const Chunk& chunk, float* panel, std::int64_t panel_block) {
            for (std::int64_t b = 0; b < blocks; ++b) {
              const std::int64_t at = b * batch_block + chunk.first * kBlock, channel = b * kBlock;
              own_kernels().training.gradient(y + at,
                                              {dz + at, norm.c0.data() + channel, nullptr, norm.c1.data() + channel,
                                               norm.c2.data() + channel, panel + b * panel_block, kBlock},
                                              chunk.pixels);
            }
            return Pixels{panel, panel_block};
          },
          blocks,
          {y, dz}};
}

void forward_product(const Cut& cut, Way way, const OwnedMatrix& weight, const Source& x, float* y, Moments* moments) {
  const std::int64_t depth = weight.shape.depth, channels = weight.shape.channels;
  const std::int64_t block = cut.all_pixels() * kBlock, panel_block = cut.longest * kBlock;
  const auto chunks = static_cast<std::int64_t>(cut.chunks.size());
  parallel(chunks, way, [&](std::int64_t first, std::int64_t last) {
    const auto chunk_at = [&](std::int64_t i) -> const Chunk& {
      return cut.chunks[static_cast<std::size_t>(on_way(way, first, last, i))];
    };
    float* const panel = scratch(blocks_of(depth) * panel_block);
    PrefetchQueue prefetch;
    for (std::int64_t i = 0; i < last - first; ++i) {
      const Chunk& chunk = chunk_at(i);
      const Pixels from = x.make(chunk, panel, panel_block);
      prefetch.clear();
      if (i + 1 < last - first) add_reads(x, chunk_at(i + 1), block, prefetch);
      gemm_all({.a = from.data,
                .a_block = from.block,
                .matrix = weight.view(),
                .out = y + chunk.first * kBlock,
                .out_block = block,
                .pixels = chunk.pixels,
                .prefetch = &prefetch});
      for (std::int64_t s = chunk.segment; moments != nullptr && s < chunk.segment + chunk.segments; ++s) {
        const Segment& segment = cut.segments[static_cast<std::size_t>(s)];
        for (std::int64_t b = 0; b < blocks_of(channels); ++b) {
          moments->take(s, b, y + b * block + segment.first * kBlock, segment.pixels);
        }
      }
    }
  });
}

void backward_product(const BackwardProduct& product, float* dw) {
  const Cut& cut = *product.cut;
  const std::int64_t in = product.in_channels, out = product.out_channels;
  const std::int64_t panel_block = cut.longest * kBlock, batch_block = cut.all_pixels() * kBlock;
  const std::int64_t in_floats = blocks_of(in) * panel_block, out_floats = blocks_of(out) * panel_block;
  // The wider side lies in vectors. Groups of chunks have partial sums of their own.
  const bool rows_are_out = in >= out;
  const std::int64_t rows = rows_are_out ? out : in, columns = rows_are_out ? in : out;
  const std::int64_t size = padded(rows) * padded(columns);
  const auto chunks = static_cast<std::int64_t>(cut.chunks.size());
  const std::int64_t groups = std::min(chunks, std::clamp<std::int64_t>((1 << 19) / size, 4, 16));
  const std::shared_ptr<float> memory = workspace(groups * size);
  float* const partial = memory.get();
  parallel(groups, [&](std::int64_t first_group, std::int64_t last_group) {
    float* const dy_panel = scratch(out_floats + in_floats);
    float* const x_panel = dy_panel + out_floats;
    PrefetchQueue prefetch;
    for (std::int64_t group = first_group; group < last_group; ++group) {
      const std::int64_t begin = group * chunks / groups, end = (group + 1) * chunks / groups;
      for (std::int64_t i = begin; i < end; ++i) {
        const Chunk& chunk = cut.chunks[static_cast<std::size_t>(i)];
        const Pixels dy = product.dy.make(chunk, dy_panel, panel_block);
        prefetch.clear();
        if (i + 1 < end) {
          const Chunk& next = cut.chunks[static_cast<std::size_t>(i + 1)];
          add_reads(product.dy, next, batch_block, prefetch);
          add_reads(product.x, next, batch_block, prefetch);
        }
        if (product.dx != nullptr) {
          const std::int64_t at = chunk.first * kBlock;
          gemm_all({.a = dy.data,
                    .a_block = dy.block,
                    .matrix = product.weight->view(),
                    .out = product.dx + at,
                    .out_block = batch_block,
                    .pixels = chunk.pixels,
                    .residual = product.residual == nullptr ? nullptr : product.residual + at,
                    .prefetch = &prefetch});
        }
        const Pixels x = product.x.make(chunk, x_panel, panel_block);
        add_outer_product(rows_are_out ? dy : x, rows, rows_are_out ? x : dy, columns, chunk.pixels, i > begin,
                          partial + group * size, &prefetch);
      }
    }
  });
  parallel(rows, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      float* const sum = partial + r * padded(columns);
      for (std::int64_t group = 1; group < groups; ++group) {
        for (std::int64_t c = 0; c < columns; ++c) sum[c] += sum[group * size + c];
      }
      for (std::int64_t c = 0; c < columns; ++c) dw[rows_are_out ? r * in + c : c * in + r] = sum[c];
    }
  });
}

void outer_product(const float* rows, std::int64_t row_channels, const float* columns, std::int64_t column_channels,
                   std::int64_t pixels, float* dw) {
  const std::int64_t width = padded(column_channels);
  parallel(blocks_of(row_channels), [&](std::int64_t first, std::int64_t last) {
    float* const sums = scratch(kBlock * width);
    for (std::int64_t b = first; b < last; ++b) {
      const std::int64_t count = std::min(kBlock, row_channels - b * kBlock);
      add_outer_product({rows + b * pixels * kBlock, pixels * kBlock}, count, {columns, pixels * kBlock},
                        column_channels, pixels, false, sums);
      for (std::int64_t r = 0; r < count; ++r) {
        std::copy_n(sums + r * width, column_channels, dw + (b * kBlock + r) * column_channels);
      }
    }
  });
}

void to_blocks(const float* rows, std::int64_t channels, std::int64_t pixels, float* blocked) {
  parallel(pixels, [&](std::int64_t first, std::int64_t last) {
    own_kernels().training.gather(
        {rows + first * channels, blocked + first * kBlock, channels, last - first, pixels * kBlock});
  });
}

void to_rows(const float* blocked, std::int64_t channels, std::int64_t pixels, float* rows) {
  parallel(pixels, [&](std::int64_t first, std::int64_t last) {
    own_kernels().training.scatter(
        {blocked + first * kBlock, rows + first * channels, channels, last - first, pixels * kBlock});
  });
}

}  // namespace effnet::nn
