// A convolution with groups = 1, or a linear layer, as GEMMs over runs of pixels.
#include <algorithm>
#include <cstring>
#include <utility>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kMinRunPixels = 56;   // with shorter runs, weights would be read too often
constexpr std::int64_t kTasksPerThread = 4;  // several, so that all threads finish at about the same time
constexpr std::int64_t kMinMacs = 40'000;    // about 4 us; a second thread does not make smaller steps faster
constexpr std::int64_t kMinPanels = 3;       // per group, if a group scales or gathers its input
constexpr std::int64_t kMinPartPixels = 42;  // per part, if an image is divided into parts

struct GemmSpec {
  GemmSource source;
  BufferId in = kNoBuffer, out = kNoBuffer;
  BufferId residual = kNoBuffer;
  BufferId scale = kNoBuffer;  // images x channels, 1x1: multiplies the channels of the input
  PackedLayer layer;
};

// A task multiplies one run of pixels by one group of panels. The input of the run stays in L2 for all panels of the
// group. If the input is gathered, it is gathered once per task. A channel scale is applied in the way that needs fewer
// multiplications: to the weights of each panel once per run (depth x panel channels multiplications), or to the input
// of the run once per group (depth x pixels multiplications).
class GemmStep final : public Step {
 public:
  GemmStep(const kernels::KernelSet& set, const GemmSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;

 private:
  struct Partition;
  Partition partition_for(std::int64_t members) const;
  void task(const Context& context, const Partition& partition, std::int64_t index, float* scratch) const noexcept;
  primitives::GemmInput scaled_input(const Context& context, std::int64_t image, std::int64_t first, std::int64_t count,
                                     float* scratch) const noexcept;
  void load_scale(const Context& context, std::int64_t image, float* scale) const noexcept;

  GemmSpec spec_;
  BlockedShape out_;
  std::int64_t images_;  // each run is in one image; 1 if the batch is treated as one long image
  std::int64_t pixels_;  // per image
  std::int64_t run_pixels_, runs_;
  std::int64_t run_step_;  // the tallest tile; the length of a run is a multiple of it
  bool scales_weights_ = false, scales_input_ = false;
};

GemmStep::GemmStep(const kernels::KernelSet& set, const GemmSpec& spec)
    : spec_(spec),
      out_{spec.source.in.images, {spec.layer.shape.channels, spec.source.out.h, spec.source.out.w}},
      run_step_(set.tallest()) {
  const bool by_image = !spec.source.in_place() || spec.scale != kNoBuffer;
  images_ = by_image ? out_.images : 1;
  pixels_ = out_.pixels() / images_;
  // The input of a run takes 3/8 of the second-level cache; a panel of weights shares the cache.
  const std::int64_t affordable = set.cache_bytes * 3 / 8 / float_bytes(spec.layer.shape.depth);
  run_pixels_ =
      std::min(pixels_, std::max(affordable / run_step_ * run_step_, divide_up(kMinRunPixels, run_step_) * run_step_));
  // Runs have equal length, rounded up to full tiles.
  run_pixels_ =
      std::min(pixels_, divide_up(divide_up(pixels_, divide_up(pixels_, run_pixels_)), run_step_) * run_step_);
  runs_ = divide_up(pixels_, run_pixels_);
  scales_weights_ = spec.scale != kNoBuffer && spec.layer.shape.channels < run_pixels_;
  scales_input_ = spec.scale != kNoBuffer && !scales_weights_;
}

// How the work is divided among threads. It depends on the number of threads, but it only decides which thread computes
// a value; the value is always the same. An image is divided into parts of equal length, and a part into runs of equal
// length; the last part or run may be shorter.
struct GemmStep::Partition {
  std::int64_t parts, part_pixels;
  std::int64_t runs, run_pixels;  // per part
  std::int64_t group_panels, groups;
};

GemmStep::Partition GemmStep::partition_for(std::int64_t members) const {
  const std::int64_t panels = spec_.layer.shape.panels();
  Partition partition{1, pixels_, runs_, run_pixels_, panels, 1};
  if (members == 1 || pixels_ * images_ * spec_.layer.shape.depth * spec_.layer.shape.channels < kMinMacs)
    return partition;
  // Divide by pixels first: equal numbers of pixels balance better than a few panels of different widths.
  partition.parts = std::clamp<std::int64_t>(pixels_ / kMinPartPixels, 1, divide_up(members, images_));
  partition.part_pixels = divide_up(pixels_, partition.parts);
  const std::int64_t wanted_runs = partition.part_pixels < 2 * kMinPartPixels ? 1 : 2;
  const std::int64_t runs = std::max(divide_up(partition.part_pixels, run_pixels_), wanted_runs);
  partition.run_pixels =
      std::min(divide_up(divide_up(partition.part_pixels, runs), run_step_) * run_step_, run_pixels_);
  partition.runs = divide_up(partition.part_pixels, partition.run_pixels);
  const std::int64_t tasks = images_ * partition.parts * partition.runs;
  std::int64_t most = panels;
  if (scales_input_ || !spec_.source.in_place()) {
    // Each group of a run scales or gathers the input again, which costs about as much as three output channels.
    most = tasks == 1 ? members : panels / kMinPanels;
  }
  const std::int64_t wanted = divide_up(members * kTasksPerThread, tasks);
  partition.group_panels = divide_up(panels, std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(most, 1)));
  partition.groups = divide_up(panels, partition.group_panels);
  return partition;
}

// Returns the bytes of the gathered or scaled input, plus those of a scaled panel and of the scale if weights are
// scaled.
std::int64_t GemmStep::scratch_bytes() const {
  const std::int64_t input = scales_input_ ? float_bytes(spec_.source.depth.gemm.segments * run_pixels_ * kBlock)
                                           : spec_.source.scratch_bytes(run_pixels_);
  return input +
         (scales_weights_ ? float_bytes(spec_.layer.shape.depth * (spec_.layer.shape.panel_channels + 1) + kBlock) : 0);
}

void GemmStep::run(const Context& context) const noexcept {
  const Partition partition = partition_for(context.members());
  // In large images, each thread gets neighbouring runs of the first group, as in the steps before and after; the tasks
  // of the other groups are handed out to threads in order. In small images, all tasks are handed out in order, so that
  // the threads use the same weights at the same time (otherwise B4 is 2 % slower).
  const std::int64_t first = images_ * partition.parts * partition.runs, all = first * partition.groups;
  context.team.step(
      all, [&](std::int64_t index, int member) noexcept { task(context, partition, index, context.scratch(member)); },
      pixels_ < kSmallImage ? all : all - first);
}

// Copies the scale of one image: one float per channel.
void GemmStep::load_scale(const Context& context, std::int64_t image, float* scale) const noexcept {
  const float* const from = context.buffer(spec_.scale) + image * kBlock;
  for (std::int64_t b = 0; b < spec_.source.in.blocks(); ++b) {
    std::memcpy(scale + b * kBlock, from + b * spec_.source.in.images * kBlock, kBlock * sizeof(float));
  }
}

primitives::GemmInput GemmStep::scaled_input(const Context& context, std::int64_t image, std::int64_t first,
                                             std::int64_t count, float* scratch) const noexcept {
  const primitives::GemmInput plain = gemm_input(spec_.source, context.buffer(spec_.in), image, first, count, nullptr);
  constexpr EpilogueParams kNoActivation{};
  kernels::MapArgs args{};
  args.pixels = count;
  args.low = kNoActivation.low;
  args.high = kNoActivation.high;
  for (std::int64_t b = 0; b < spec_.source.depth.gemm.segments; ++b) {
    args.a = plain.data + b * plain.segment_step;
    args.scale = context.buffer(spec_.scale) + (b * spec_.source.in.images + image) * kBlock;
    args.out = scratch + b * count * kBlock;
    context.set.map[static_cast<std::size_t>(kNoActivation.epilogue)](args);
  }
  return {scratch, count * kBlock};
}

void GemmStep::task(const Context& context, const Partition& partition, std::int64_t index,
                    float* scratch) const noexcept {
  // Tasks are ordered by group. The last group is the smallest, so that all threads finish at about the same time.
  const std::int64_t image_runs = partition.parts * partition.runs;
  const std::int64_t group = index / (image_runs * images_), image = index / image_runs % images_;
  const std::int64_t part = index % image_runs / partition.runs,
                     part_end = std::min((part + 1) * partition.part_pixels, pixels_);
  const std::int64_t first = part * partition.part_pixels + index % partition.runs * partition.run_pixels;
  const std::int64_t count = std::min(partition.run_pixels, part_end - first);
  if (count <= 0) return;  // the last part may have fewer runs

  float* const panel = scratch + spec_.source.scratch_bytes(run_pixels_) / float_bytes(1);
  float* const scale = panel + spec_.layer.shape.depth * spec_.layer.shape.panel_channels;
  if (scales_weights_) load_scale(context, image, scale);

  primitives::GemmRun run{};
  run.input = scales_input_ ? scaled_input(context, image, first, count, scratch)
                            : gemm_input(spec_.source, context.buffer(spec_.in), image, first, count, scratch);
  run.depth = spec_.source.depth.gemm;
  run.activation = spec_.layer.activation;
  run.out_block = out_.block_values();
  const std::int64_t at = (image * pixels_ + first) * kBlock;
  const primitives::PackedMatrix matrix{context.weight(spec_.layer.weight), spec_.layer.shape};
  const std::int64_t last = std::min((group + 1) * partition.group_panels, matrix.panels());
  for (std::int64_t i = group * partition.group_panels; i < last; ++i) {
    run.panel = matrix.panel(i);
    run.prefetch.next_weight = i + 1 < last ? matrix.panel(i + 1).weight : nullptr;
    run.bias = context.weight(spec_.layer.bias) + run.panel.channel;
    const std::int64_t block = run.panel.channel / kBlock * out_.block_values() + at;
    if (scales_weights_) {
      context.set.scale_rows(run.panel.weight, scale, spec_.layer.shape.depth, run.panel.lanes, panel);
      run.panel.weight = panel;
    }
    run.out = context.buffer(spec_.out) + block;
    run.residual = spec_.residual == kNoBuffer ? nullptr : context.buffer(spec_.residual) + block;
    gemm(context.set, context.schedule, run, count);
  }
}

}  // namespace

void make_gemm(Planner& planner, const FusedOp& op) {
  GemmSpec spec;
  spec.source = planner.source_of(op.layer, op.inputs[0]);
  spec.in = planner.input(op);
  spec.layer = planner.gemm_layer(op.layer, op.activation);
  std::vector<BufferId> reads{spec.in};
  if (op.scale != kNone) reads.push_back(spec.scale = planner.buffer(op.scale));
  if (op.addend != kNone) reads.push_back(spec.residual = planner.buffer(op.addend));
  spec.out = planner.output_in_place(op.out, op.addend, spec.in);
  planner.add(std::make_unique<GemmStep>(planner.set(), spec),
              {.out = op.out,
               .kernel = planner.gemm_kernel(spec.layer, planner.batch() * spec.source.out.pixels()),
               .reads = std::move(reads),
               .writes = spec.out,
               .layers = {op.layer}});
}

}  // namespace effnet::engine
