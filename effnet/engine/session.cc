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

constexpr std::int64_t kMostImages = 1 << 16;

tensor::Memory zeroed(std::int64_t bytes, std::string_view what) {
  const auto size = static_cast<std::size_t>(bytes);
  tensor::Memory memory = tensor::allocate(size, what);
  std::memset(memory.get(), 0, size);
  return memory;
}

// One image of a blocked tensor as C x H x W.
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

std::shared_ptr<const PackedWeights> given(std::shared_ptr<const PackedWeights> weights) {
  if (weights == nullptr) throw usage_error("a session without weights (got null, expected PackedWeights)");
  return weights;
}

}  // namespace

struct Session::Impl {
  Impl(const graph::Graph& graph, std::shared_ptr<const PackedWeights> packed, const SessionOptions& options)
      : weights(given(std::move(packed))),
        set(kernels::kernel_set(weights->target())),
        schedule(set),
        batch(options.batch),
        input(graph.input()),
        logits_node(graph.logits),
        plan(checked_plan(graph, options)),
        team(options.threads) {
    const std::int64_t members = team.members();
    // Members' scratch a page and a line apart: neither shared lines nor the same cache sets.
    constexpr auto kPage = static_cast<std::int64_t>(tensor::kPage);
    scratch_stride = (plan.scratch_bytes + kPage - 1) / kPage * kPage + kPage + tensor::kAlignment;
    arena = zeroed(plan.arena.bytes, "activations");
    scratch_memory = zeroed(scratch_stride * members + plan.zero_bytes, "scratch");
    for (const std::int64_t offset : plan.arena.offsets) buffers.push_back(arena.get() + offset);
    for (std::int64_t m = 0; m < members; ++m) scratch.push_back(scratch_memory.get() + m * scratch_stride);
    zeros = scratch_memory.get() + members * scratch_stride;
    for (const auto& step : plan.steps) {
      infos.push_back(step->info);
      infos.back().macs *= batch / part;
      infos.back().bytes *= batch / part;
    }
    for (const auto& [node, output] : plan.outputs) {
      kept[node].resize(static_cast<std::size_t>(batch * output.shape.chw.numel()));
    }
  }

  Plan checked_plan(const graph::Graph& graph, const SessionOptions& options) {
    if (options.batch < 1 || options.batch > kMostImages) {
      throw usage_error("batch out of range (got {}, expected 1 to {})", options.batch, kMostImages);
    }
    kernels::require(weights->target().isa);
    graph::check(graph);
    if (!weights->fit(graph)) {
      throw input_error("packed weights of another network (got {} bytes, expected the {} of {})",
                        weights->bytes().size(), PackedWeights::size_bytes(graph, weights->target()), graph.name);
    }
    Plan one = make_plan(graph, *weights, 1, options.plan, options.keep);
    part = images_a_part(options.batch, one.arena.bytes);
    return part == 1 ? std::move(one) : make_plan(graph, *weights, part, options.plan, options.keep);
  }

  // A batch runs in equal parts whose activations stay in the last level of cache: B4's batch of 8 as one is 3 % slower
  // an image than one alone.
  static std::int64_t images_a_part(std::int64_t images, std::int64_t bytes_an_image) {
    constexpr std::int64_t kPartBytes = 16 << 20;
    std::int64_t part = std::clamp<std::int64_t>(kPartBytes / std::max<std::int64_t>(bytes_an_image, 1), 1, images);
    while (images % part != 0) --part;
    return part;
  }

  Context context(ThreadTeam::Run& run) const {
    return {set, schedule, weights->bytes().data(), buffers, run, scratch, zeros};
  }

  // Part by part: the images, all steps, and what comes out of them.
  void run(const InputRows& input_rows, std::span<float> logits) {
    {
      ThreadTeam::Run running(team);
      const Context at = context(running);
      for (std::int64_t first = 0; first < batch; first += part) {
        write_images(running, first, input_rows);
        for (const auto& step : plan.steps) step->run(at);
        for (auto& [node, values] : kept) take(node, first, values);
      }
    }
    std::copy(kept.at(logits_node).begin(), kept.at(logits_node).end(), logits.begin());
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (!std::isfinite(logits[i]))
        name_the_culprit(input_rows, static_cast<std::int64_t>(i) / classes() / part * part);
    }
  }

  // The part's outputs of a node into the batch's.
  void take(NodeId node, std::int64_t first, std::span<float> values) const {
    const Plan::Output& output = plan.outputs.at(node);
    const std::int64_t size = output.shape.chw.numel();
    for (std::int64_t image = 0; image < part; ++image) {
      unblock(buffer(output.buffer), output.shape, image, values.data() + (first + image) * size);
    }
  }

  void write_images(ThreadTeam::Run& running, std::int64_t first_image, const InputRows& input_rows) const {
    const ImageLayout& layout = plan.image_layout;
    // The part of a window row that reaches beyond the last row meets zero weights, so it must be finite; later steps
    // of the run before wrote here.
    std::fill_n(buffer(plan.image) + part * layout.image_values(), kBlock, 0.0F);
    constexpr std::int64_t kRows = 16;  // of a task
    const std::int64_t tasks = (layout.height + kRows - 1) / kRows;
    running.step(part * tasks, [&](std::int64_t index, int) noexcept {
      const std::int64_t first = index % tasks * kRows, place = index / tasks;
      float* const image = buffer(plan.image) + place * layout.image_values();
      for (std::int64_t y = first; y < std::min(first + kRows, layout.height); ++y) {
        input_rows.write(layout, first_image + place, y, image + y * layout.row_values());
      }
    });
  }

  // Runs a part again and looks at every step's output.
  [[noreturn]] void name_the_culprit(const InputRows& input_rows, std::int64_t first_image) {
    ThreadTeam::Run running(team);
    write_images(running, first_image, input_rows);
    const Context at = context(running);
    const float* const image = buffer(plan.image);
    for (std::int64_t i = 0; i < plan.image_layout.values(part); ++i) {
      if (!std::isfinite(image[i])) throw input_error("the input holds NaN or infinity (expected finite values)");
    }
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      plan.steps[s]->run(at);
      const Plan::Output& output = plan.step_outputs[s];
      if (all_finite(buffer(output.buffer), output.shape)) continue;
      throw input_error("the output of {} holds NaN or infinity (expected finite values)", plan.steps[s]->info.name)
          .with_hint("the weights are broken or overflow float32; effnet compare shows where two backends depart");
    }
    throw internal_error("the logits hold NaN or infinity, but no layer's output does");
  }

  std::int64_t classes() const { return plan.outputs.at(logits_node).shape.chw.c; }
  float* buffer(BufferId id) const { return reinterpret_cast<float*>(buffers[static_cast<std::size_t>(id)]); }

  void check(std::size_t values, std::span<const float> logits) const {
    const auto expected = static_cast<std::size_t>(batch * input.numel());
    if (values != expected) {
      throw usage_error("the input does not fit (got {} values, expected {} x {} x {} x {})", values, batch, input.c,
                        input.h, input.w);
    }
    const auto places = static_cast<std::size_t>(batch * classes());
    if (logits.size() != places) {
      throw usage_error("no room for the logits (got {} places, expected {})", logits.size(), places);
    }
  }
  void check_pixels(std::size_t values, std::span<const float> logits) const {
    check(values, logits);
    if (input.c != 3) throw usage_error("pixels for a network of {} channels (expected 3)", input.c);
  }

  std::shared_ptr<const PackedWeights> weights;
  const kernels::KernelSet& set;
  primitives::TileSchedule schedule;
  std::int64_t batch;
  std::int64_t part = 1;  // images that the plan runs at a time; divides the batch
  Chw input;
  NodeId logits_node;
  Plan plan;
  ThreadTeam team;
  std::int64_t scratch_stride = 0;
  tensor::Memory arena, scratch_memory;
  std::vector<std::byte*> buffers, scratch;
  const std::byte* zeros = nullptr;
  std::vector<StepInfo> infos;
  std::map<NodeId, std::vector<float>> kept;  // outputs of the whole batch, the logits too
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
    throw usage_error("node {} was not kept (expected one of SessionOptions::keep)", node);
  }
  return found->second;
}

std::vector<StepInfo> Session::profile(std::span<const float> input) {
  std::vector<float> logits(static_cast<std::size_t>(impl_->batch * classes()));
  impl_->check(input.size(), logits);
  std::vector<StepInfo> infos = impl_->infos;
  ThreadTeam::Run running(impl_->team);
  const Context at = impl_->context(running);
  for (std::int64_t first = 0; first < impl_->batch; first += impl_->part) {
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
