// Plain steps: one for every op, made of LibTorch operations, which autograd can differentiate.
#include <array>
#include <utility>
#include <variant>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"
#include "effnet/nn/batch_norm.h"
#include "effnet/nn/step.h"

namespace effnet::nn {
namespace {

using torch::Tensor;
using Inputs = std::span<const Tensor>;
using Run = std::function<Tensor(Inputs, const ForwardContext&)>;

// A window's padding for LibTorch, whose operations can pad only symmetrically. Asymmetric padding (TensorFlow's SAME)
// becomes a separate pad operation before the window operation.
struct SplitPadding {
  bool separate = false;
  std::array<std::int64_t, 2> inside{0, 0};         // padding by the window operation: height, width
  std::array<std::int64_t, 4> outside{0, 0, 0, 0};  // separate padding, in torch's order: left, right, top, bottom

  Tensor before(const Tensor& x, double value) const { return separate ? at::constant_pad_nd(x, outside, value) : x; }
};
SplitPadding split(const graph::WindowPadding& padding) {
  if (padding.top == padding.bottom && padding.left == padding.right) {
    return {.inside = {padding.top, padding.left}};
  }
  return {.separate = true, .outside = {padding.left, padding.right, padding.top, padding.bottom}};
}

struct Context {
  const graph::Graph& graph;
  const graph::Node& node;
  const Bind& bind;
  const NetworkOptions& options;

  Tensor parameter(std::string_view role) const { return bind(fmt::format("{}.{}", node.name, role)); }
};

Run make(const Context& context, const graph::Conv& op) {
  const SplitPadding padding = split(graph::padding_of(context.graph, context.node));
  return [=, weight = context.parameter("weight"), bias = op.bias ? context.parameter("bias") : Tensor()](
             Inputs in, const ForwardContext&) {
    return at::conv2d(padding.before(in[0], 0), weight, bias, {op.stride, op.stride}, padding.inside, {1, 1},
                      op.groups);
  };
}

Run make(const Context& context, const graph::BatchNorm&) {
  return
      [state = batch_norm_state(context.node, context.bind, context.options)](Inputs in, const ForwardContext& pass) {
        if (pass.batch_statistics()) return batch_norm_training(in[0], state, pass);
        return at::batch_norm(in[0], state.weight, state.bias, state.mean, state.variance, /*training=*/false, 0.0,
                              state.epsilon, at::globalContext().userEnabledCuDNN());
      };
}

// at::silu saves only its input for backward and recomputes the sigmoid there. hardswish and hardtanh (relu6) save only
// their input too.
Run make(const Context&, const graph::Activate& op) {
  switch (op.kind) {
    case graph::Activation::none:
      return [](Inputs in, const ForwardContext&) { return in[0]; };
    case graph::Activation::relu:
      return [](Inputs in, const ForwardContext&) { return at::relu(in[0]); };
    case graph::Activation::relu6:
      return [](Inputs in, const ForwardContext&) { return at::hardtanh(in[0], 0, 6); };
    case graph::Activation::silu:
      return [](Inputs in, const ForwardContext&) { return at::silu(in[0]); };
    case graph::Activation::hard_swish:
      return [](Inputs in, const ForwardContext&) { return at::hardswish(in[0]); };
    case graph::Activation::sigmoid:
      return [](Inputs in, const ForwardContext&) { return at::sigmoid(in[0]); };
  }
  throw internal_error("unknown activation");
}

Run make(const Context&, const graph::GlobalPool&) {
  return [](Inputs in, const ForwardContext&) { return at::adaptive_avg_pool2d(in[0], {1, 1}); };
}

Run make(const Context& context, const graph::Pool& op) {
  const SplitPadding padding = split(graph::padding_of(context.graph, context.node));
  const std::array<std::int64_t, 2> kernel{op.kernel, op.kernel}, stride{op.stride, op.stride};
  if (op.kind == graph::PoolKind::max) {
    return [=](Inputs in, const ForwardContext&) {
      const Tensor x = padding.before(in[0], -std::numeric_limits<double>::infinity());
      return at::max_pool2d(x, kernel, stride, padding.inside);
    };
  }
  EFFNET_CHECK(op.kind == graph::PoolKind::average);
  if (!padding.separate || op.count_padding) {
    return [=](Inputs in, const ForwardContext&) {
      return at::avg_pool2d(padding.before(in[0], 0), kernel, stride, padding.inside, /*ceil_mode=*/false,
                            op.count_padding || padding.separate);
    };
  }
  // The average of a window's valid pixels: their sum divided by their number. The same pooling of an image of ones
  // gives the number of valid pixels of each window.
  const Chw in_shape = context.graph.in(context.node);
  const Tensor ones = padding.before(torch::ones({1, 1, in_shape.h, in_shape.w}), 0);
  const Tensor valid = at::avg_pool2d(ones, kernel, stride, {0, 0}, false, true, 1);
  return [=](Inputs in, const ForwardContext&) {
    const Tensor sums = at::avg_pool2d(padding.before(in[0], 0), kernel, stride, {0, 0}, false, true, 1);
    return sums / valid.to(sums.options());
  };
}

Run make(const Context& context, const graph::Linear&) {
  return [weight = context.parameter("weight"), bias = context.parameter("bias")](Inputs in, const ForwardContext&) {
    return at::linear(in[0].flatten(1), weight, bias).unsqueeze(-1).unsqueeze(-1);
  };
}

Run make(const Context&, const graph::Add&) {
  return [](Inputs in, const ForwardContext&) { return in[0] + in[1]; };
}
Run make(const Context&, const graph::Mul&) {
  return [](Inputs in, const ForwardContext&) { return in[0] * in[1]; };
}
Run make(const Context&, const graph::Concat&) {
  return [](Inputs in, const ForwardContext&) { return at::cat(std::vector<Tensor>(in.begin(), in.end()), 1); };
}
Run make(const Context&, const graph::Pad& op) {
  return [op](Inputs in, const ForwardContext&) {
    return at::constant_pad_nd(in[0], {op.left, op.right, op.top, op.bottom}, 0);
  };
}

// Multiplies x by 0 or 1 / (1 - rate), with `draws` random numbers per sample: 1 for the whole sample, or one per
// channel. The numbers depend only on seed, epoch, sample and node name, so they are drawn on the CPU for every device.
Tensor drop(const Tensor& x, std::int64_t draws, double rate, const std::string& name, const ForwardContext& pass) {
  const std::int64_t n = x.size(0);
  if (static_cast<std::int64_t>(pass.samples.size()) != n) {
    throw usage_error("{} needs one sample index per image (got {}, expected {})", name, pass.samples.size(), n);
  }
  const Tensor scale = torch::empty({n, draws, 1, 1}, torch::kFloat);
  const auto kept = static_cast<float>(1 / (1 - rate));
  float* to = scale.data_ptr<float>();
  for (const std::int64_t sample : pass.samples) {
    Draws numbers({.seed = pass.seed, .epoch = pass.epoch, .sample = static_cast<std::uint64_t>(sample)}, name);
    for (std::int64_t i = 0; i < draws; ++i) *to++ = numbers.uniform() < rate ? 0 : kept;
  }
  return x * scale.to(x.options());
}

Run dropping(const Context& context, double rate, bool whole_samples) {
  if (!(rate >= 0 && rate < 1)) {
    throw usage_error("{}: drop rate out of range (got {}, expected at least 0 and below 1)", context.node.name, rate);
  }
  return [rate, whole_samples, name = context.node.name](Inputs in, const ForwardContext& pass) {
    if (!pass.training || rate == 0) return in[0];
    return drop(in[0], whole_samples ? 1 : in[0].size(1), rate, name, pass);
  };
}
// Dropout drops whole channels. The networks here use it on 1x1 tensors only.
Run make(const Context& context, const graph::Dropout& op) { return dropping(context, op.rate, false); }
Run make(const Context& context, const graph::DropPath& op) { return dropping(context, op.rate, true); }

Run make(const Context&, const graph::Identity&) {
  return [](Inputs in, const ForwardContext&) { return in[0]; };
}
Run make(const Context& context, const graph::Input&) {
  throw input_error("{} has more than one input node (expected one, the first node)", context.graph.name);
}

}  // namespace

Step plain_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind, const NetworkOptions& options) {
  const graph::Node& node = graph.at(id);
  const Context context{graph, node, bind, options};
  return {.pattern = std::string(graph::op_name(node.op)),
          .first = id,
          .last = id,
          .inputs = node.inputs,
          .run = std::visit([&](const auto& op) { return make(context, op); }, node.op)};
}

}  // namespace effnet::nn
