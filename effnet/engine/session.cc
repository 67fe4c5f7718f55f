#include "effnet/engine/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/engine/input_rows.h"
#include "effnet/engine/plan/plan.h"
#include "effnet/graph/builder.h"
#include "effnet/tensor/memory.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kMaxBatch = 1 << 16;

tensor::Memory zeroed(std::int64_t bytes, std::string_view what) {
  const auto size = static_cast<std::size_t>(bytes);
  tensor::Memory memory = tensor::allocate(size, what);
  std::memset(memory.get(), 0, size);
  return memory;
}

// Converts one image of a blocked tensor to C x H x W.
void unblock(const float* from, const BlockedShape& shape, std::int64_t image, float* to) {
  const std::int64_t pixels = shape.chw.pixels();
  for (std::int64_t c = 0; c < shape.chw.c; ++c) {
    const float* const block = from + (c / kBlock * shape.images + image) * pixels * kBlock + c % kBlock;
    for (std::int64_t p = 0; p < pixels; ++p) to[c * pixels + p] = block[p * kBlock];
  }
}

bool all_finite(const float* from, const BlockedShape& shape) {
  const std::int64_t pixels = shape.pixels();
  for (std::int64_t c = 0; c < shape.chw.c; ++c) {
    const float* const block = from + c / kBlock * pixels * kBlock + c % kBlock;
    for (std::int64_t p = 0; p < pixels; ++p) {
      if (!std::isfinite(block[p * kBlock])) return false;
    }
  }
  return true;
}

std::shared_ptr<const PackedWeights> require_weights(std::shared_ptr<const PackedWeights> weights) {
  if (weights == nullptr) throw usage_error("a session needs weights (got null, expected PackedWeights)");
  return weights;
}

}  // namespace

struct Session::Impl {
  Impl(const graph::Graph& graph, std::shared_ptr<const PackedWeights> packed, const SessionOptions& options)
      : weights(require_weights(std::move(packed))),
        set(kernels::kernel_set(weights->target())),
        schedule(set),
        batch(options.batch),
        input(graph.input()),
        logits_node(graph.logits),
        plan(checked_plan(graph, options)),
        team(options.threads) {
    const std::int64_t members = team.members();
    // The scratch blocks of the members are a page and a cache line apart, so that they share neither cache lines nor
    // cache sets.
    constexpr auto kPage = static_cast<std::int64_t>(tensor::kPage);
    scratch_stride = (plan.scratch_bytes + kPage - 1) / kPage * kPage + kPage + tensor::kAlignment;
    arena = zeroed(plan.arena.bytes, "activations");
    scratch_memory = zeroed(scratch_stride * members + plan.zero_bytes, "scratch");
    for (const std::int64_t offset : plan.arena.offsets) buffers.push_back(arena.get() + offset);
    for (std::int64_t m = 0; m < members; ++m) scratch.push_back(scratch_memory.get() + m * scratch_stride);
    zeros = scratch_memory.get() + members * scratch_stride;
    for (const auto& step : plan.steps) {
      infos.push_back(step->info);
      infos.back().macs *= batch / micro_batch;
      infos.back().bytes *= batch / micro_batch;
    }
    for (const auto& [node, output] : plan.outputs) {
      kept[node].resize(static_cast<std::size_t>(batch * output.shape.chw.numel()));
    }
  }

  Plan checked_plan(const graph::Graph& graph, const SessionOptions& options) {
    if (options.batch < 1 || options.batch > kMaxBatch) {
      throw usage_error("batch out of range (got {}, expected 1 to {})", options.batch, kMaxBatch);
    }
    kernels::require(weights->target().isa);
    graph::check(graph);
    if (!weights->fit(graph)) {
      throw input_error("the packed weights belong to another network (got {} bytes, expected {} bytes for {})",
                        weights->bytes().size(), PackedWeights::size_bytes(graph, weights->target()), graph.name);
    }
    Plan one = make_plan(graph, *weights, 1, options.plan, options.keep);
    micro_batch = micro_batch_of(options.batch, one.arena.bytes);
    return micro_batch == 1 ? std::move(one) : make_plan(graph, *weights, micro_batch, options.plan, options.keep);
  }

  // Returns the number of images per micro-batch. A batch runs in micro-batches of equal size, so that the activations
  // stay in the last-level cache. Without micro-batches, B4 with a batch of 8 takes 3 % longer per image than with a
  // batch of 1.
  static std::int64_t micro_batch_of(std::int64_t images, std::int64_t image_bytes) {
    constexpr std::int64_t kMicroBatchBytes = 16 << 20;
    std::int64_t micro_batch =
        std::clamp<std::int64_t>(kMicroBatchBytes / std::max<std::int64_t>(image_bytes, 1), 1, images);
    while (images % micro_batch != 0) --micro_batch;
    return micro_batch;
  }

  Context context(ThreadTeam::Run& run) const {
    return {set, schedule, weights->bytes().data(), buffers, run, scratch, zeros};
  }

  // For each micro-batch: writes the images, runs all steps, copies the kept outputs.
  void run(const InputRows& input_rows, std::span<float> logits) {
    {
      ThreadTeam::Run running(team);
      const Context at = context(running);
      for (std::int64_t first = 0; first < batch; first += micro_batch) {
        write_images(running, first, input_rows);
        for (const auto& step : plan.steps) step->run(at);
        for (auto& [node, values] : kept) copy_output(node, first, values);
      }
    }
    std::copy(kept.at(logits_node).begin(), kept.at(logits_node).end(), logits.begin());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (!std::isfinite(logits[i]))
        throw_first_non_finite(input_rows, static_cast<std::int64_t>(i) / classes() / micro_batch * micro_batch);
    }
  }

  // Copies a node's output for the current micro-batch into the output of the whole batch.
  void copy_output(NodeId node, std::int64_t first, std::span<float> values) const {
    const Plan::Output& output = plan.outputs.at(node);
    const std::int64_t size = output.shape.chw.numel();
    for (std::int64_t image = 0; image < micro_batch; ++image) {
      unblock(buffer(output.buffer), output.shape, image, values.data() + (first + image) * size);
    }
  }

  void write_images(ThreadTeam::Run& running, std::int64_t first_image, const InputRows& input_rows) const {
    const ImageLayout& layout = plan.image_layout;
    // A kernel may read up to 16 floats beyond the last row and multiply them by zero weights, so these floats must be
    // finite. They are set here, because steps of the previous run may have written other values to this memory.
    std::fill_n(buffer(plan.image) + micro_batch * layout.image_values(), kBlock, 0.0F);
    constexpr std::int64_t kRows = 16;  // per task
    const std::int64_t tasks = (layout.height + kRows - 1) / kRows;
    running.step(micro_batch * tasks, [&](std::int64_t index, int) noexcept {
      const std::int64_t first = index % tasks * kRows, place = index / tasks;
      float* const image = buffer(plan.image) + place * layout.image_values();
      for (std::int64_t y = first; y < std::min(first + kRows, layout.height); ++y) {
        input_rows.write(layout, first_image + place, y, image + y * layout.row_values());
      }
    });
  }

  // Runs one micro-batch again and checks the output of every step. Throws Error(input) that names the first step whose
  // output is not finite.
  [[noreturn]] void throw_first_non_finite(const InputRows& input_rows, std::int64_t first_image) {
    ThreadTeam::Run running(team);
    write_images(running, first_image, input_rows);
    const Context at = context(running);
    const float* const image = buffer(plan.image);
    for (std::int64_t i = 0; i < plan.image_layout.values(micro_batch); ++i) {
      if (!std::isfinite(image[i])) throw input_error("the input contains NaN or infinity (expected finite values)");
    }
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      plan.steps[s]->run(at);
      const Plan::Output& output = plan.step_outputs[s];
      if (all_finite(buffer(output.buffer), output.shape)) continue;
      throw input_error("the output of {} contains NaN or infinity (expected finite values)", plan.steps[s]->info.name)
          .with_hint(
              "the weights are corrupt or overflow float32; effnet compare shows the first layer where two backends "
              "differ");
    }
    throw internal_error("the logits contain NaN or infinity, but every layer's output is finite");
  }

  std::int64_t classes() const { return plan.outputs.at(logits_node).shape.chw.c; }
  float* buffer(BufferId id) const { return reinterpret_cast<float*>(buffers[static_cast<std::size_t>(id)]); }

  void check(std::size_t values, std::span<const float> logits) const {
    const auto expected = static_cast<std::size_t>(batch * input.numel());
    if (values != expected) {
      throw usage_error("the input does not fit (got {} values, expected {} x {} x {} x {})", values, batch, input.c,
                        input.h, input.w);
    }
    const auto values_expected = static_cast<std::size_t>(batch * classes());
    if (logits.size() != values_expected) {
      throw usage_error("the logits buffer has the wrong size (got {} values, expected {})", logits.size(),
                        values_expected);
    }
  }
  void check_pixels(std::size_t values, std::span<const float> logits) const {
    check(values, logits);
    if (input.c != 3)
      throw usage_error("the network does not take RGB pixels (got {} input channels, expected 3)", input.c);
  }

  std::shared_ptr<const PackedWeights> weights;
  const kernels::KernelSet& set;
  primitives::TileSchedule schedule;
  std::int64_t batch;
  std::int64_t micro_batch = 1;  // images that the plan runs at a time; divides the batch
  Chw input;
  NodeId logits_node;
  Plan plan;
  ThreadTeam team;
  std::int64_t scratch_stride = 0;
  tensor::Memory arena, scratch_memory;
  std::vector<std::byte*> buffers, scratch;
  const std::byte* zeros = nullptr;
  std::vector<StepInfo> infos;
  std::map<NodeId, std::vector<float>> kept;  // of the whole batch; includes the logits
};

Session::Session(const graph::Graph& graph, std::shared_ptr<const PackedWeights> weights, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(graph, std::move(weights), options)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::run(std::span<const float> input, std::span<float> logits) {
  impl_->check(input.size(), logits);
  impl_->run(TensorRows(input), logits);
}

void Session::run(std::span<const std::uint8_t> rgb, const Normalisation& normalisation, std::span<float> logits) {
  impl_->check_pixels(rgb.size(), logits);
  impl_->run(ByteRows(rgb, normalisation), logits);
}

void Session::run(std::span<const float> rgb, const Normalisation& normalisation, std::span<float> logits) {
  impl_->check_pixels(rgb.size(), logits);
  impl_->run(FloatRows(rgb, normalisation), logits);
}

std::vector<float> Session::output(graph::NodeId node) const {
  const auto found = impl_->kept.find(node);
  if (found == impl_->kept.end()) {
    throw usage_error("node {} was not kept (expected a node of SessionOptions::keep)", node);
  }
  return found->second;
}

std::vector<StepInfo> Session::profile(std::span<const float> input) {
  std::vector<float> logits(static_cast<std::size_t>(impl_->batch * classes()));
  impl_->check(input.size(), logits);
  std::vector<StepInfo> infos = impl_->infos;
  ThreadTeam::Run running(impl_->team);
  const Context at = impl_->context(running);
  for (std::int64_t first = 0; first < impl_->batch; first += impl_->micro_batch) {
    impl_->write_images(running, first, TensorRows(input));
    for (std::size_t s = 0; s < infos.size(); ++s) {
      const auto start = std::chrono::steady_clock::now();
      impl_->plan.steps[s]->run(at);
      infos[s].ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    }
  }
  return infos;
}

const std::vector<StepInfo>& Session::steps() const { return impl_->infos; }
Chw Session::input_shape() const { return impl_->input; }
std::int64_t Session::classes() const { return impl_->classes(); }
std::int64_t Session::batch() const { return impl_->batch; }
int Session::threads() const { return impl_->team.members(); }
kernels::Isa Session::isa() const { return target().isa; }
kernels::Target Session::target() const { return impl_->weights->target(); }
std::int64_t Session::workspace_bytes() const {
  return impl_->plan.arena.bytes + impl_->scratch_stride * impl_->team.members() + impl_->plan.zero_bytes;
}
std::int64_t Session::weights_bytes() const { return static_cast<std::int64_t>(impl_->weights->bytes().size()); }

}  // namespace effnet::engine
