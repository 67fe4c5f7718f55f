// A depthwise convolution. If fused, the step also runs the convolution that produces its input, applies both
// activations, and computes the sums for the global pool after it. This is the row cascade.
//
// A task computes one tile of channels in one band of output rows of one image, from top to bottom. For each group of
// output rows it first computes the missing input rows (a GEMM of this tile's channels only) and stores them in a row
// ring, which fits L1 or L2 and includes the padding columns. Then it convolves these rows. So the expanded tensor is
// never stored as a whole.
#include <algorithm>
#include <cstring>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/engine/steps/makers.h"
#include "effnet/graph/builder.h"
#include "effnet/primitives/row_ring.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kMinTasks = 8;
// Two neighbouring bands both need kernel - stride of the same input rows, which are then computed twice. If there are
// at least kMinTasks tiles, bands are separate tasks only if the image has at least this many input rows per repeated
// row.
constexpr std::int64_t kMinRowsPerRepeatedRow = 10;
constexpr std::int64_t kMinBandRows = 7;  // output rows
// The least number of channel blocks per task if the input is gathered, so that several blocks use one gathered input.
constexpr std::int64_t kGatheredBlocks = 2;

// A task keeps a pointer to each row of a window on the stack, so the kernel size is limited.
inline constexpr std::int64_t kMaxDepthwiseKernel = 128;

struct DepthwiseSpec {
  // true: a GEMM of `source` with the weights of `producer` computes the input rows. false: they are copied from `in`.
  bool produced = false;
  GemmSource source;
  PackedLayer producer;

  BufferId in = kNoBuffer, out = kNoBuffer;
  BufferId sums = kNoBuffer;  // [block][image][band][16]
  std::int64_t images = 1;
  Chw in_shape, out_shape;  // of one image; both have the same number of channels
  Window window;
  std::int64_t right = 0;  // padding columns on the right; bottom rows need no padding
  PackedLayer layer;       // its shape is not set
  std::int64_t pair_weight = 0;
};

class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const kernels::KernelSet& set, const DepthwiseSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;
  std::int64_t zero_bytes() const override { return float_bytes(row_values_); }

  // Returns true if the step computes two output rows at once (depthwise_pair): if the instruction set has such a
  // kernel and it is faster.
  static bool makes_pairs(const kernels::KernelSet& set, const DepthwiseSpec& spec);
  // Returns the number of bands. It depends only on instruction set, batch and shape, so the order of the sums does not
  // depend on the number of threads.
  static std::int64_t bands(const kernels::KernelSet& set, std::int64_t images, const Chw& out);

 private:
  struct Task;
  std::int64_t ring_bytes() const { return float_bytes(tile_blocks_ * ring_rows_ * row_values_); }
  std::int64_t offset_bytes() const {
    constexpr auto kBytes = static_cast<std::int64_t>(sizeof(std::int32_t));
    return divide_up(ring_rows_ * spec_.in_shape.w * kBytes, kernels::kAlignment) * kernels::kAlignment;
  }
  // Returns the first row of a band. It is even if rows are computed in pairs, so that the bits of a row do not depend
  // on the bands.
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
  kernels::DepthwiseFn whole_ = nullptr, half_ = nullptr;                // null: use depthwise_any
  kernels::DepthwisePairFn whole_pair_ = nullptr, half_pair_ = nullptr;  // null: row by row
  std::int64_t tile_blocks_;  // channel blocks of a task: one GEMM tile, or the blocks that share a gathered input
  std::int64_t tiles_, bands_;
  std::int64_t rows_;        // output rows per kernel call, 1 or 2
  std::int64_t group_;       // output rows computed at a time
  std::int64_t ring_rows_;   // slots of the row ring
  std::int64_t row_values_;  // floats of one padded row
};

// The working memory of a task.
struct DepthwiseStep::Task {
  std::int64_t image;
  std::int64_t first_block, blocks;
  float* ring;            // [block][slot][padded column][16]
  float* gathered;        // scratch of gemm_input()
  std::int32_t* offsets;  // the place in the ring of each pixel of a GEMM run
};

std::int64_t DepthwiseStep::bands(const kernels::KernelSet& set, std::int64_t images, const Chw& out) {
  const std::int64_t tiles = images * divide_up(kernels::lanes_of(out.c), set.tile);
  const std::int64_t wanted = std::max<std::int64_t>(divide_up(kMinTasks, tiles), 2);
  return std::min(wanted, std::max<std::int64_t>(out.h / kMinBandRows, 1));
}

bool DepthwiseStep::makes_pairs(const kernels::KernelSet& set, const DepthwiseSpec& spec) {
  const std::int64_t kernel = spec.window.kernel;
  const kernels::Epilogue epilogue = spec.layer.activation.epilogue;
  return set.depthwise_pair(kernel, spec.window.stride, false, epilogue) != nullptr &&
         set.pairs_are_faster(kernel, spec.out_shape.w, epilogue);
}

DepthwiseStep::DepthwiseStep(const kernels::KernelSet& set, const DepthwiseSpec& spec) : spec_(spec) {
  const std::int64_t kernel = spec.window.kernel, stride = spec.window.stride;
  whole_ = set.depthwise(kernel, stride, false, spec.layer.activation.epilogue);
  half_ = set.depthwise(kernel, stride, true, spec.layer.activation.epilogue);
  if (makes_pairs(set, spec)) {
    whole_pair_ = set.depthwise_pair(kernel, stride, false, spec.layer.activation.epilogue);
    half_pair_ = set.depthwise_pair(kernel, stride, true, spec.layer.activation.epilogue);
  }
  tile_blocks_ = std::max(set.tile / kBlock, spec.produced && !spec.source.in_place() ? kGatheredBlocks : 1);
  tiles_ = divide_up(kernels::blocks_of(spec.out_shape.c), tile_blocks_);
  bands_ = bands(set, spec.images, spec.out_shape);
  rows_ = whole_pair_ == nullptr ? 1 : 2;
  group_ = std::max<std::int64_t>(divide_up(set.cascade_pixels, stride * spec.in_shape.w), 1);
  group_ = std::min(divide_up(group_, rows_) * rows_, spec.out_shape.h);
  ring_rows_ = (group_ - 1) * stride + kernel;
  row_values_ = (spec.window.left + spec.in_shape.w + spec.right) * kBlock;
}

// Returns the bytes of the row ring, the pixel offsets, and the gathered input.
std::int64_t DepthwiseStep::scratch_bytes() const {
  return ring_bytes() + offset_bytes() +
         (spec_.produced ? spec_.source.scratch_bytes(ring_rows_ * spec_.in_shape.w) : 0);
}

void DepthwiseStep::run(const Context& context) const noexcept {
  // With one thread, a task processes all bands of its channels in one pass, and no row is computed twice. With several
  // threads there are two cases. If there are few tiles, or if few rows would be computed twice, every band is a
  // separate task; tasks are in the order of the bands, so that the tasks of a thread are neighbours in the image.
  // Otherwise only the last tiles are divided into bands, so that all threads finish at about the same time.
  const auto members = context.members();
  const std::int64_t planes = spec_.images * tiles_;
  const std::int64_t repeated = spec_.window.kernel - spec_.window.stride, rows = spec_.in_shape.h;
  const bool by_band =
      planes < kMinTasks || (spec_.in_shape.pixels() >= kSmallImage && repeated * kMinRowsPerRepeatedRow <= rows);
  const std::int64_t split = members == 1 ? 0 : by_band ? planes : std::min(members, planes);
  const std::int64_t whole = planes - split;
  context.team.step(
      whole + split * bands_,
      [&](std::int64_t index, int member) noexcept {
        auto* const scratch = context.scratch<std::byte>(member);
        if (index < whole) return walk(context, index / tiles_, index % tiles_, 0, bands_, scratch);
        const std::int64_t plane = whole + (index - whole) % split, band = (index - whole) / split;
        walk(context, plane / tiles_, plane % tiles_, band, band + 1, scratch);
      },
      whole > 0 ? split * bands_ : 0);
}

void DepthwiseStep::walk(const Context& context, std::int64_t image, std::int64_t tile, std::int64_t first_band,
                         std::int64_t last_band, std::byte* scratch) const noexcept {
  Task task{};
  task.image = image;
  task.first_block = tile * tile_blocks_;
  task.blocks = std::min(tile_blocks_, kernels::blocks_of(spec_.out_shape.c) - task.first_block);
  task.ring = reinterpret_cast<float*>(scratch);
  task.offsets = reinterpret_cast<std::int32_t*>(scratch + ring_bytes());
  task.gathered = reinterpret_cast<float*>(scratch + ring_bytes() + offset_bytes());

  // Set the padding columns of all slots to zero. They stay zero, because GEMMs and copies write only between them.
  for (std::int64_t row = 0; row < task.blocks * ring_rows_; ++row) {
    float* const at = task.ring + row * row_values_;
    std::memset(at, 0, static_cast<std::size_t>(spec_.window.left * kBlock) * sizeof(float));
    std::memset(at + (spec_.window.left + spec_.in_shape.w) * kBlock, 0,
                static_cast<std::size_t>(spec_.right * kBlock) * sizeof(float));
  }

  const std::int64_t first_row = band_begin(first_band);
  std::int64_t made = std::max<std::int64_t>(first_row * spec_.window.stride - spec_.window.top, 0);
  for (std::int64_t band = first_band; band < last_band; ++band) {
    float* const sums =
        spec_.sums == kNoBuffer
            ? nullptr
            : context.buffer(spec_.sums) + ((task.first_block * spec_.images + image) * bands_ + band) * kBlock;
    const std::int64_t block_sums = spec_.images * bands_ * kBlock;
    for (std::int64_t b = 0; sums != nullptr && b < task.blocks; ++b) std::fill_n(sums + b * block_sums, kBlock, 0.0F);

    const std::int64_t end = band_begin(band + 1);
    for (std::int64_t y = band_begin(band); y < end; y += group_) {
      const std::int64_t last = std::min(y + group_, end);
      const std::int64_t needed =
          std::min((last - 1) * spec_.window.stride - spec_.window.top + spec_.window.kernel, spec_.in_shape.h);
      // If the stride is larger than the kernel, some input rows are never read. Skip them: the ring has no slot for
      // them.
      made = std::max(made, y * spec_.window.stride - spec_.window.top);
      if (needed > made) {
        make_rows(context, task, made, needed);
        made = needed;
      }
      for (std::int64_t row = y; row < last; row += rows_) {
        convolve(context, task, row, std::min(rows_, last - row), sums);
      }
    }
  }
}

primitives::RowRing DepthwiseStep::ring_of(const Context& context, const Task& task, std::int64_t block) const {
  return {task.ring + block * ring_rows_ * row_values_, ring_rows_, row_values_, context.zeros()};
}

// Computes or copies the input rows [first, last) into their slots.
void DepthwiseStep::make_rows(const Context& context, const Task& task, std::int64_t first,
                              std::int64_t last) const noexcept {
  const std::int64_t width = spec_.in_shape.w;
  const std::int64_t block_ring = ring_rows_ * row_values_;
  const std::int64_t left = spec_.window.left * kBlock;
  if (!spec_.produced) {
    const std::int64_t block_in = spec_.images * spec_.in_shape.pixels() * kBlock;
    for (std::int64_t b = 0; b < task.blocks; ++b) {
      const float* const in =
          context.buffer(spec_.in) + (task.first_block + b) * block_in + task.image * spec_.in_shape.pixels() * kBlock;
      const primitives::RowRing ring = ring_of(context, task, b);
      for (std::int64_t row = first; row < last; ++row) {
        std::memcpy(ring.slot(row) + left, in + row * width * kBlock,
                    static_cast<std::size_t>(width * kBlock) * sizeof(float));
      }
    }
    return;
  }

  const std::int64_t pixels = (last - first) * width;
  const primitives::RowRing ring = ring_of(context, task, 0);
  std::int32_t* offset = task.offsets;
  for (std::int64_t row = first; row < last; ++row) {
    const auto start = static_cast<std::int32_t>(ring.offset(row) + left);
    for (std::int32_t x = 0; x < width; ++x) *offset++ = start + x * static_cast<std::int32_t>(kBlock);
  }
  primitives::GemmRun run{};
  run.input = gemm_input(spec_.source, context.buffer(spec_.in), task.image, first * width, pixels, task.gathered);
  run.depth = spec_.source.depth.gemm;
  run.activation = spec_.producer.activation;
  run.out_block = block_ring;
  run.offsets = task.offsets;
  const primitives::PackedMatrix matrix{context.weight(spec_.producer.weight), spec_.producer.shape};
  const std::int64_t first_panel = task.first_block * kBlock / spec_.producer.shape.panel_channels;
  const std::int64_t channels = (task.first_block + task.blocks) * kBlock;
  for (std::int64_t i = first_panel; i < matrix.panels() && matrix.panel(i).channel < channels; ++i) {
    run.panel = matrix.panel(i);
    run.bias = context.weight(spec_.producer.bias) + run.panel.channel;
    const bool more = last == spec_.in_shape.h && i + 1 < matrix.panels();
    run.prefetch.next_weight = more ? matrix.panel(i + 1).weight : nullptr;
    run.out = task.ring + (run.panel.channel / kBlock - task.first_block) * block_ring;
    gemm(context.set, context.schedule, run, pixels);
  }
}

// Computes the output rows [y, y + rows); rows is 1 or 2.
void DepthwiseStep::convolve(const Context& context, const Task& task, std::int64_t y, std::int64_t rows,
                             float* sums) const noexcept {
  const std::int64_t kernel = spec_.window.kernel, width = spec_.out_shape.w;
  const std::int64_t lanes = kernels::lanes_of(spec_.out_shape.c);
  const std::int64_t block_out = spec_.images * spec_.out_shape.pixels() * kBlock;
  const float low = spec_.layer.activation.low, high = spec_.layer.activation.high;
  const float* in[kMaxDepthwiseKernel + 1];
  for (std::int64_t b = 0; b < task.blocks; ++b) {
    const std::int64_t block = task.first_block + b;
    const primitives::RowRing ring = ring_of(context, task, b);
    for (std::int64_t ky = 0; ky < kernel + rows_ - 1; ++ky) {
      const std::int64_t row = y * spec_.window.stride - spec_.window.top + ky;
      in[ky] = ky < kernel + rows - 1 ? ring.row(row, spec_.in_shape.h) : context.zeros();
    }
    const float* const bias = context.weight(spec_.layer.bias) + block * kBlock;
    float* const out =
        context.buffer(spec_.out) + block * block_out + (task.image * spec_.out_shape.pixels() + y * width) * kBlock;
    float* const block_sums = sums == nullptr ? nullptr : sums + b * spec_.images * bands_ * kBlock;
    const bool half = lanes - block * kBlock <= 8;
    if (whole_pair_ != nullptr) {
      const std::int64_t taps = kernels::depthwise_pair_positions(kernel) * kernel;
      const float* const weight = context.weight(spec_.pair_weight) + block * taps * kBlock;
      float* const second = rows == 2 ? out + width * kBlock : nullptr;
      (half ? half_pair_ : whole_pair_)({.rows = in,
                                         .weight = weight,
                                         .bias = bias,
                                         .out = {out, second},
                                         .width = width,
                                         .sums = block_sums,
                                         .low = low,
                                         .high = high});
      continue;
    }
    const float* const weight = context.weight(spec_.layer.weight) + block * kernel * kernel * kBlock;
    const kernels::DepthwiseArgs args{.rows = in,
                                      .weight = weight,
                                      .bias = bias,
                                      .out = out,
                                      .width = width,
                                      .sums = block_sums,
                                      .low = low,
                                      .high = high};
    if (whole_ != nullptr) {
      (half ? half_ : whole_)(args);
    } else {
      context.set.depthwise_any[static_cast<std::size_t>(spec_.layer.activation.epilogue)](args, kernel,
                                                                                           spec_.window.stride);
    }
  }
}

std::string kernel_name(const kernels::KernelSet& set, const DepthwiseSpec& spec) {
  const std::int64_t kernel = spec.window.kernel;
  const bool half = kernels::lanes_of(spec.out_shape.c) <= 8;
  const kernels::Epilogue epilogue = spec.layer.activation.epilogue;
  return DepthwiseStep::makes_pairs(set, spec)
             ? kernels::depthwise_pair_name(set, kernel, half, epilogue)
             : kernels::depthwise_name(set, kernel, spec.window.stride, half, epilogue);
}

}  // namespace

void make_depthwise(Planner& planner, const FusedOp& op) {
  const graph::Node& node = planner.graph().at(op.layer);
  DepthwiseSpec spec;
  spec.images = planner.batch();
  spec.in_shape = planner.graph().in(node);
  spec.out_shape = node.out;
  spec.window = planner.window_of(op.layer);
  spec.right = graph::padding_of(planner.graph(), node).right;
  const std::int64_t kernel = spec.window.kernel;
  if (kernel > kMaxDepthwiseKernel) {
    throw input_error("{}: the window of a depthwise convolution is too large (got {}x{}, expected at most {}x{})",
                      node.name, kernel, kernel, kMaxDepthwiseKernel, kMaxDepthwiseKernel)
        .with_hint("the reference executor runs it: --backend reference");
  }
  spec.in = planner.input(op);
  spec.layer = planner.layer(op.layer, op.activation);
  spec.pair_weight = spec.layer.weight + float_bytes(kernels::blocked_floats(node.out.c, kernel * kernel));
  std::vector<NodeId> layers{op.layer};
  std::string name = kernel_name(planner.set(), spec);
  if (op.producer != kNone) {
    spec.produced = true;
    spec.source = planner.source_of(op.producer, op.inputs[0]);
    spec.producer = planner.gemm_layer(op.producer, op.producer_activation);
    layers.push_back(op.producer);
    name = planner.gemm_kernel(spec.producer, spec.source.out.pixels()) + "+" + name;
  }
  spec.out = planner.output(op.out);
  if (op.pooled != kNone) {
    const std::int64_t bands = DepthwiseStep::bands(planner.set(), spec.images, spec.out_shape);
    spec.sums = planner.new_buffer(float_bytes(kernels::blocked_floats(spec.out_shape.c, spec.images * bands)));
    planner.sums(op.pooled) = {spec.sums, bands};
  }
  planner.add(
      std::make_unique<DepthwiseStep>(planner.set(), spec),
      {.out = op.out, .kernel = std::move(name), .reads = {spec.in}, .writes = spec.out, .layers = std::move(layers)});
}

}  // namespace effnet::engine
