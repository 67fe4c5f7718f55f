// What the fused blocks are made of, on raw memory: cutting a batch into chunks that stay in cache, products over
// chunks, their weight gradients, and the statistics of batch norms. No torch.
//
// Tensors are blocked as in kernels/kernels.h: block b of a tensor of `pixels` pixels begins at b * pixels * 16; lanes
// beyond the channels may hold anything, and no value of another lane is made of them. Channel vectors are padded with
// zeros to whole blocks.
//
// Nothing here depends on the number of threads: chunks, groups of chunks and the order in which partial sums are added
// follow from shapes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "effnet/kernels/training.h"
#include "effnet/nn/parallel.h"
#include "effnet/primitives/activation.h"
#include "effnet/primitives/gemm.h"
#include "effnet/primitives/packed_matrix.h"
#include "effnet/primitives/prefetch_queue.h"

namespace effnet::nn {

using kernels::blocks_of;
using kernels::kBlock;
using primitives::Activated;

struct OwnKernels {
  const kernels::KernelSet& base;
  const kernels::TrainingSet& training;
  primitives::TileSchedule schedule;  // of `base`
};
const OwnKernels& own_kernels();  // of kernels::chosen_isa(), chosen once

constexpr std::int64_t padded(std::int64_t channels) { return blocks_of(channels) * kBlock; }

// The plane (block * images + image) of a task, where tasks go image by image.
constexpr std::int64_t plane_of(std::int64_t task, std::int64_t blocks, std::int64_t images) {
  return task % blocks * images + task / blocks;
}

// ---- Cutting. A segment is a run of pixels of one image, a chunk some segments that follow each other.
struct Segment {
  std::int64_t image, first, pixels;  // first: a pixel of the batch
};
struct Chunk {
  std::int64_t first, pixels;      // of the batch
  std::int64_t segment, segments;  // segments [segment, segment + segments)
};
struct Cut {
  std::vector<Segment> segments;
  std::vector<Chunk> chunks;
  std::int64_t images = 0, pixels = 0;  // of an image
  std::int64_t longest = 0;             // pixels of the longest chunk
  std::int64_t all_pixels() const { return images * pixels; }
};
// floats_a_pixel: what must stay in the second-level cache.
Cut cut(std::int64_t images, std::int64_t pixels, std::int64_t floats_a_pixel);

// ---- GEMM.
// A packed matrix (primitives/packed_matrix.h) with its memory.
struct OwnedMatrix {
  primitives::PackedShape shape;
  std::vector<float> values;
  primitives::PackedMatrix view() const { return {values.data(), shape}; }
};
// Of weights [rows][columns] as PyTorch stores them: `pack` for x * W^T (channels: rows), `pack_transposed` for x * W
// (channels: columns).
OwnedMatrix pack(const float* weight, std::int64_t rows, std::int64_t columns);
OwnedMatrix pack_transposed(const float* weight, std::int64_t rows, std::int64_t columns);

// out = bias + a * matrix [+ residual], for panels [first_panel, last_panel) of the matrix. a and out are blocked,
// their blocks a_block and out_block floats apart; out begins with the matrix's first channel.
struct Gemm {
  const float* a;
  std::int64_t a_block;
  primitives::PackedMatrix matrix;
  const float* bias = nullptr;  // null: 0; else padded(channels)
  float* out;
  std::int64_t out_block;
  std::int64_t pixels;
  const float* residual = nullptr;  // null, or laid out as `out` is
  primitives::PrefetchQueue* prefetch = nullptr;
};
void gemm_panels(const Gemm& gemm, std::int64_t first_panel, std::int64_t last_panel);
inline void gemm_all(const Gemm& gemm) { gemm_panels(gemm, 0, gemm.matrix.panels()); }

// ---- Statistics of a batch norm.
struct Norm {
  std::vector<float> scale, shift, inverse, offset;  // kernels/training.h; padded
  std::vector<double> mean, variance;                // biased; channels
  double pixels = 0;                                 // of the batch, in training
};
struct NormMode {
  bool training = false;
  // Adds every value over all processes, in place: synchronised batch norm. Empty: this process alone.
  std::function<void(std::span<double>)> sum_all = {};
  double most_momentum = 1;  // Pass::most_momentum
};
// What a kernel needs to compute activation(batch norm(y)) of `pixels` pixels of a channel block, times `gate` (null,
// or 16) where the kernel takes one.
kernels::ActivationArgs activation_args(const Activated& activation, const Norm& norm, std::int64_t block,
                                        const float* y, std::int64_t pixels, const float* gate = nullptr);
// What a batch norm is given and learns. Moving statistics are updated in training.
struct NormParameters {
  const float *gamma, *beta;
  float *moving_mean, *moving_variance;
  double epsilon, momentum;
  bool unbiased;
};
// Partial moments: [slot][block][3][16], slot i over `counts[i]` pixels.
struct Moments {
  std::vector<float> values;
  std::vector<std::int64_t> counts;
  std::int64_t blocks = 0;
  Moments() = default;
  Moments(std::vector<std::int64_t> slot_counts, std::int64_t channel_blocks);
  float* at(std::int64_t slot, std::int64_t block) { return values.data() + (slot * blocks + block) * 3 * kBlock; }
  // Takes the moments of y's pixels, the first of them as the pivot.
  void take(std::int64_t slot, std::int64_t block, const float* y, std::int64_t pixels);
};
Moments moments_of(const Cut& cut, std::int64_t channels);  // a slot for each segment
// In training from the moments, and the moving statistics are updated; else from the moving statistics. sum_all is
// called for c + 1 values, then for c.
Norm normalise(const Moments& moments, std::int64_t channels, const NormParameters& parameters, const NormMode& mode);

// Of the gradient behind a batch norm: its sums over all pixels give the coefficients of the gradient before it.
struct NormGradient {
  std::vector<float> c0, c1, c2;   // padded
  std::vector<float> gamma, beta;  // gradients, of this process; channels
};
// sums: [block][2][16]: dz, dz * xhat. Not in training the statistics are constants: c1 = c2 = 0. sum_all is called for
// 2 c values.
NormGradient norm_gradient(const std::vector<double>& sums, const Norm& norm, const float* gamma, std::int64_t channels,
                           const NormMode& mode);

// ---- Products over a batch.
// Some pixels of a blocked tensor or of a panel: block b at data + b * block.
struct Pixels {
  const float* data;
  std::int64_t block;
};
struct Source {
  // A chunk's pixels: made in `panel`, blocks panel_block apart, or where they lie already.
  std::function<Pixels(const Chunk& chunk, float* panel, std::int64_t panel_block)> make;
  // What make() reads of the chunk's pixels from memory: tensors of `blocks` blocks over all pixels.
  std::int64_t blocks = 0;
  std::vector<const float*> reads = {};
};
Source lies_in(const Cut& cut, const float* tensor);  // blocked over all pixels
// The gradient before a batch norm from dz behind it: c0 * dz + c1 * y + c2, both blocked over all pixels. All of it
// must outlive the source.
Source before_norm(const Cut& cut, const float* y, const float* dz, const NormGradient& norm, std::int64_t channels);

// y = x * weight; y blocked over all pixels; moments of every segment unless null.
void forward_product(const Cut& cut, Way way, const OwnedMatrix& weight, const Source& x, float* y, Moments* moments);

// dx = dy * W^T [+ residual] and dW = x^T dy, chunk by chunk. Order in a chunk: dy, dx, x, dW.
struct BackwardProduct {
  const Cut* cut;
  std::int64_t in_channels, out_channels;
  const OwnedMatrix* weight;  // packed for dx = dy * W; not read where dx is not wanted
  Source dy, x;
  float* dx = nullptr;              // null: not wanted; else blocked over all pixels, as `residual` is
  const float* residual = nullptr;  // may be null
};
// dw: [out_channels][in_channels].
void backward_product(const BackwardProduct& product, float* dw);

// dw[r][c] = sum over pixels of rows[p][r] * columns[p][c], both blocked over `pixels`; for few pixels.
void outer_product(const float* rows, std::int64_t row_channels, const float* columns, std::int64_t column_channels,
                   std::int64_t pixels, float* dw);

// A channels-last tensor [pixels][channels] to a blocked one, lanes beyond the channels zero, and back.
void to_blocks(const float* rows, std::int64_t channels, std::int64_t pixels, float* blocked);
void to_rows(const float* blocked, std::int64_t channels, std::int64_t pixels, float* rows);

}  // namespace effnet::nn
