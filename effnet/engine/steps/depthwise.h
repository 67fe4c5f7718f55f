// A depthwise convolution, and with it the convolution that makes its input, the activations of both and the sums of
// its global pool: the row cascade.
//
// A task is one tile of channels of one band of output rows of one image. It walks down the band. For the next output
// rows it makes the input rows that are still missing (products of that tile's channels alone), into a ring of rows
// that lies in L1 or L2 and has the padding in memory, then convolves. The expanded tensor never exists as a whole.
#pragma once

#include "effnet/engine/steps/step.h"
#include "effnet/primitives/row_ring.h"

namespace effnet::engine {

// A task keeps a pointer to each row of a window on the stack.
inline constexpr std::int64_t kLargestDepthwiseKernel = 128;

struct DepthwiseSpec {
  // What makes the input rows: a product of this source, or none and the rows are copied from `in`.
  bool produced = false;
  GemmSource source;                        // produced
  primitives::PackedShape source_packed{};  // of its weights
  std::int64_t source_weight = 0, source_bias = 0;
  Activated source_activated;

  BufferId in = kNoBuffer, out = kNoBuffer;
  BufferId sums = kNoBuffer;  // [block][image][band][16]
  std::int64_t images = 1;
  Chw in_shape, out_shape;  // of one image; channels are equal
  Window window;
  std::int64_t right = 0;  // columns of padding; rows below need none
  std::int64_t weight = 0, pair_weight = 0, bias = 0;
  Activated activated;
};

class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const kernels::KernelSet& set, const DepthwiseSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;
  std::int64_t zero_bytes() const override { return float_bytes(row_values_); }

  // Whether it makes its rows in pairs: where that is faster.
  static bool makes_pairs(const kernels::KernelSet& set, const DepthwiseSpec& spec);
  // Bands are a function of the shape, so the order of the sums is too.
  static std::int64_t bands(const kernels::KernelSet& set, std::int64_t images, const Chw& out);

 private:
  struct Task;
  std::int64_t ring_bytes() const { return float_bytes(tile_blocks_ * ring_rows_ * row_values_); }
  std::int64_t offset_bytes() const {
    constexpr auto kBytes = static_cast<std::int64_t>(sizeof(std::int32_t));
    return divide_up(ring_rows_ * spec_.in_shape.w * kBytes, kernels::kAlignment) * kernels::kAlignment;
  }
  // Of even rows where they are made in pairs, so that a row's bits do not depend on bands.
  std::int64_t band_begin(std::int64_t band) const {
    const std::int64_t row = band * spec_.out_shape.h / bands_;
    return band == bands_ ? row : row / rows_ * rows_;
  }
  primitives::RowRing ring_of(const Context& context, const Task& task, std::int64_t block) const;
  void walk(const Context& context, std::int64_t image, std::int64_t tile, std::int64_t first_band,
            std::int64_t last_band, std::byte* scratch) const noexcept;
  void make_rows(const Context& context, const Task& task, std::int64_t first, std::int64_t last) const noexcept;
  void convolve(const Context& context, const Task& task, std::int64_t y, std::int64_t rows,
                float* sums) const noexcept;

  DepthwiseSpec spec_;
  kernels::DepthwiseFn whole_ = nullptr, half_ = nullptr;                // null: depthwise_any
  kernels::DepthwisePairFn whole_pair_ = nullptr, half_pair_ = nullptr;  // null: row by row
  std::int64_t tile_blocks_, tiles_, bands_;  // of a task: one product tile, or as many as share gathered input
  std::int64_t rows_;                         // output rows that a kernel makes, 1 or 2
  std::int64_t group_;                        // output rows made at a time
  std::int64_t ring_rows_;                    // slots
  std::int64_t row_values_;                   // of one padded row
};

}  // namespace effnet::engine
