#include "effnet/engine/reference.h"

#include <algorithm>
#include <memory>
#include <new>
#include <set>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/engine/reference/ops.h"
#include "effnet/graph/costs.h"
#include "effnet/tensor/memory.h"

namespace effnet::engine {
namespace {

// The least work for which waking a thread (about 10 us) pays: in multiply-adds, or in values for elementwise
// operations.
constexpr std::int64_t kGrainMacs = 1 << 16;
constexpr std::int64_t kGrainValues = 1 << 14;

// A node's output, or the caller's input. Copies share the values, so identity nodes cost nothing.
struct Buffer {
  std::shared_ptr<float[]> owned;  // null for the caller's input
  std::span<const float> values;

  std::span<float> writable() const { return {owned.get(), values.size()}; }
};

Buffer allocate(std::int64_t count) {
  try {
    auto owned = std::make_shared_for_overwrite<float[]>(static_cast<std::size_t>(count));
    const std::span<const float> values(owned.get(), static_cast<std::size_t>(count));
    return {std::move(owned), values};
  } catch (const std::bad_alloc&) {
    throw tensor::out_of_memory(4 * static_cast<std::size_t>(count), "activations");
  }
}

}  // namespace

// One run of the network: executes the nodes in order.
class ReferenceRun {
 public:
  ReferenceRun(const Reference& reference, std::span<const float> input, std::int64_t batch)
      : reference_(reference), graph_(reference.graph_), batch_(batch), buffers_(graph_.nodes.size()) {
    buffers_[0] = {nullptr, input};
  }

  std::vector<float> walk(const Reference::Observer& observer) {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      check_interrupt();
      node_ = i;
      const graph::Node& node = graph_.nodes[i];
      if (i > 0) {
        Buffer out = std::visit([&](const auto& op) { return run(node, op); }, node.op);
        buffers_[i] = std::move(out);
      }
      if (observer) observer(node, buffers_[i].values);
      for (const graph::NodeId id : node.inputs) release(static_cast<std::size_t>(id));
      release(i);
    }
    const std::span<const float> logits = buffers_[static_cast<std::size_t>(graph_.logits)].values;
    return {logits.begin(), logits.end()};
  }

 private:
  void release(std::size_t i) {
    if (reference_.last_use_[i] <= node_) buffers_[i] = {};
  }

  std::span<const float> in(const graph::Node& node, std::size_t i = 0) const {
    return buffers_[static_cast<std::size_t>(node.inputs[i])].values;
  }
  std::span<const float> parameter(std::size_t i) const { return reference_.bound_[node_][i]; }
  Buffer new_output(const graph::Node& node) const { return allocate(batch_ * node.out.numel()); }

  // Returns the first input for an operation in place: the buffer itself if no other node reads it later, else a copy.
  Buffer take(const graph::Node& node) {
    const auto id = static_cast<std::size_t>(node.inputs[0]);
    const bool read_twice = std::count(node.inputs.begin(), node.inputs.end(), node.inputs[0]) > 1;
    if (reference_.last_use_[id] == node_ && !read_twice && buffers_[id].owned.use_count() == 1) {
      return std::move(buffers_[id]);
    }
    Buffer copy = new_output(node);
    std::copy(in(node).begin(), in(node).end(), copy.owned.get());
    return copy;
  }

  // Runs the tasks [0, n), each of `cost`, in ranges of at least `grain` work.
  void parallel(std::int64_t n, std::int64_t cost, std::int64_t grain, const ThreadPool::Body& body) const {
    reference_.pool_.parallel_for(n, body, grain / std::max<std::int64_t>(cost, 1) + 1);
  }

  bool double_sums() const { return reference_.options_.double_accumulation; }

  Buffer convolve(const graph::Node& node, const reference::ConvShape& shape, std::span<const float> bias) {
    Buffer out = new_output(node);
    parallel(reference::conv_tasks(shape), reference::conv_macs_per_task(shape), kGrainMacs,
             [&](std::int64_t begin, std::int64_t end) {
               const auto conv = double_sums() ? reference::conv<double> : reference::conv<float>;
               conv(shape, in(node), parameter(0), bias, out.writable(), begin, end);
             });
    return out;
  }

  Buffer run(const graph::Node& node, const graph::Conv& op) {
    return convolve(node,
                    {.batch = batch_,
                     .in = graph_.in(node),
                     .out = node.out,
                     .kernel = op.kernel,
                     .stride = op.stride,
                     .groups = op.groups,
                     .padding = graph::padding_of(graph_, node)},
                    op.bias ? parameter(1) : std::span<const float>());
  }
  Buffer run(const graph::Node& node, const graph::Linear&) {
    return convolve(node, {.batch = batch_, .in = graph_.in(node), .out = node.out, .padding = {}}, parameter(1));
  }
  Buffer run(const graph::Node& node, const graph::BatchNorm& op) {
    Buffer out = take(node);
    const reference::BatchNormParameters parameters{parameter(0), parameter(1), parameter(2), parameter(3), op.epsilon};
    parallel(batch_ * node.out.c, node.out.pixels(), kGrainValues, [&](std::int64_t begin, std::int64_t end) {
      reference::batch_norm(parameters, node.out.pixels(), out.writable(), begin, end);
    });
    return out;
  }
  Buffer run(const graph::Node& node, const graph::Activate& op) {
    Buffer out = take(node);
    parallel(batch_ * node.out.numel(), 1, kGrainValues,
             [&](std::int64_t begin, std::int64_t end) { reference::activate(op.kind, out.writable(), begin, end); });
    return out;
  }
  Buffer run(const graph::Node& node, const graph::GlobalPool&) {
    Buffer out = new_output(node);
    const std::int64_t pixels = graph_.in(node).pixels();
    parallel(batch_ * node.out.c, pixels, kGrainValues, [&](std::int64_t begin, std::int64_t end) {
      const auto pool = double_sums() ? reference::global_pool<double> : reference::global_pool<float>;
      pool(pixels, in(node), out.writable(), begin, end);
    });
    return out;
  }
  Buffer run(const graph::Node& node, const graph::Pool& op) {
    EFFNET_CHECK(op.kind != graph::PoolKind::none);
    Buffer out = new_output(node);
    const reference::PoolShape shape{.in = graph_.in(node),
                                     .out = node.out,
                                     .kernel = op.kernel,
                                     .stride = op.stride,
                                     .padding = graph::padding_of(graph_, node),
                                     .count_padding = op.count_padding};
    parallel(batch_ * node.out.c, node.out.pixels() * op.kernel * op.kernel, kGrainValues,
             [&](std::int64_t begin, std::int64_t end) {
               const auto average = double_sums() ? reference::average_pool<double> : reference::average_pool<float>;
               const auto pool = op.kind == graph::PoolKind::max ? reference::max_pool : average;
               pool(shape, in(node), out.writable(), begin, end);
             });
    return out;
  }
  Buffer run(const graph::Node& node, const graph::Add&) {
    Buffer out = take(node);
    parallel(batch_ * node.out.numel(), 1, kGrainValues,
             [&](std::int64_t begin, std::int64_t end) { reference::add(in(node, 1), out.writable(), begin, end); });
    return out;
  }
  Buffer run(const graph::Node& node, const graph::Mul&) {
    Buffer out = take(node);
    parallel(batch_ * node.out.c, node.out.pixels(), kGrainValues, [&](std::int64_t begin, std::int64_t end) {
      reference::multiply_planes(node.out.pixels(), in(node, 1), out.writable(), begin, end);
    });
    return out;
  }
  Buffer run(const graph::Node& node, const graph::Concat&) {
    Buffer out = new_output(node);
    float* to = out.owned.get();
    for (std::int64_t image = 0; image < batch_; ++image) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const std::int64_t count = graph_.in(node, i).numel();
        to = std::copy_n(in(node, i).begin() + image * count, count, to);
      }
    }
    return out;
  }
  Buffer run(const graph::Node& node, const graph::Pad& op) {
    Buffer out = new_output(node);
    parallel(batch_ * node.out.c, node.out.pixels(), kGrainValues, [&](std::int64_t begin, std::int64_t end) {
      reference::pad(graph_.in(node), node.out, op, in(node), out.writable(), begin, end);
    });
    return out;
  }
  // Dropout, drop path and identity do nothing at inference, so their output shares the values of their input. This
  // function is never called for the input node.
  template <class Nothing>
  Buffer run(const graph::Node& node, const Nothing&) {
    return buffers_[static_cast<std::size_t>(node.inputs[0])];
  }

  const Reference& reference_;
  const graph::Graph& graph_;
  std::int64_t batch_;
  std::vector<Buffer> buffers_;  // empty before the node runs and after its last use
  std::size_t node_ = 0;         // the node that is running
};

Reference::Reference(const graph::Graph& graph, const ParameterSource& parameters, ThreadPool& pool,
                     ReferenceOptions options)
    : graph_(graph), pool_(pool), options_(options), bound_(graph.nodes.size()), last_use_(graph.nodes.size()) {
  parameters.check(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const graph::Parameter& parameter : graph::parameters(graph, graph.nodes[i])) {
      bound_[i].push_back(parameters.at(parameter));
    }
    last_use_[i] = i;
    for (const graph::NodeId id : graph.nodes[i].inputs) last_use_[static_cast<std::size_t>(id)] = i;
  }
  last_use_[static_cast<std::size_t>(graph.logits)] = graph.nodes.size();
}

std::vector<float> Reference::run(std::span<const float> input, std::int64_t batch, const Observer& observer) const {
  const Chw& shape = graph_.input();
  if (batch < 1 || input.size() % static_cast<std::size_t>(batch) != 0 ||
      input.size() / static_cast<std::size_t>(batch) != static_cast<std::size_t>(shape.numel())) {
    throw usage_error("the input does not fit {} (got {} values for a batch of {}, expected {} x {} x {} per image)",
                      graph_.name, input.size(), batch, shape.c, shape.h, shape.w);
  }
  graph::activation_memory(graph_, batch);  // throws if a size exceeds 64 bits
  return ReferenceRun(*this, input, batch).walk(observer);
}

Reference::Tapped Reference::run(std::span<const float> input, std::int64_t batch,
                                 const std::vector<std::string>& taps) const {
  for (const std::string& tap : taps) {
    if (graph_.find(tap) == nullptr)
      throw usage_error("{} has no node with this name (got {})", graph_.name, in_quotes(tap));
  }
  const std::set<std::string_view> wanted(taps.begin(), taps.end());
  Tapped result;
  result.logits = run(input, batch, [&](const graph::Node& node, std::span<const float> values) {
    if (wanted.contains(node.name)) result.activations[node.name].assign(values.begin(), values.end());
  });
  return result;
}

}  // namespace effnet::engine
