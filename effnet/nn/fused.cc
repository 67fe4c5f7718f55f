// Patterns on own kernels as autograd functions. Tensors of torch outside, nn/mbconv.h and nn/conv_bn_act.h inside.
#include <algorithm>
#include <array>
#include <utility>

#include "effnet/nn/conv_bn_act.h"
#include "effnet/nn/layout.h"
#include "effnet/nn/linear.h"
#include "effnet/nn/mbconv.h"
#include "effnet/nn/pattern.h"
#include "effnet/nn/step.h"
#include "effnet/nn/workspace.h"

#include <ATen/autocast_mode.h>

namespace effnet::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Activated activation_of(const graph::Graph& graph, graph::NodeId id) {
  return primitives::activated(std::get<graph::Activate>(graph.at(id).op).kind);
}

// An autograd function takes no undefined tensor: an empty one stands for what a block does not have.
Tensor or_empty(const Tensor& x) { return x.defined() ? x : torch::empty({0}); }
Tensor dense(const Tensor& x) { return x.numel() > 0 ? x.contiguous() : Tensor(); }

const float* data(const Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }
float* mutable_data(const Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }

// A batch norm's tensors and constants.
struct NormTensors {
  Tensor gamma, beta, mean, variance;
  double epsilon = 0, momentum = 0;
  bool unbiased = false;
  NormParameters parameters() const {
    return {data(gamma), data(beta), mutable_data(mean), mutable_data(variance), epsilon, momentum, unbiased};
  }
};
NormTensors norm_tensors(const graph::Graph& graph, graph::NodeId id, const Bind& bind, const NetworkOptions& options) {
  const graph::Node& node = graph.at(id);
  const auto& op = std::get<graph::BatchNorm>(node.op);
  return {.gamma = bind(node.name + ".weight"),
          .beta = bind(node.name + ".bias"),
          .mean = bind(node.name + ".running_mean"),
          .variance = bind(node.name + ".running_var"),
          .epsilon = op.epsilon,
          .momentum = options.bn_momentum.value_or(op.momentum),
          .unbiased = options.unbiased_moving_variance};
}

bool autocast() {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  return at::autocast::is_autocast_enabled(at::kCPU);
#else
  return at::autocast::is_cpu_enabled();
#endif
}

bool is_plain_float(const Tensor& x) {
  return !x.defined() || (x.device().is_cpu() && x.scalar_type() == torch::kFloat && x.layout() == torch::kStrided);
}

// What the pass must be like: all of it float32 in this process's memory.
template <class Tensors>
bool runs_here(const Tensor& x, const Tensors& parameters) {
  return !autocast() && x.numel() > 0 && is_plain_float(x) &&
         std::all_of(parameters.begin(), parameters.end(), is_plain_float);
}

NormMode mode_of(const Pass& pass) {
  NormMode mode{.training = pass.training, .sum_all = {}, .most_momentum = pass.most_momentum};
  if (pass.all_reduce) {
    mode.sum_all = [reduce = pass.all_reduce](std::span<double> values) {
      const Tensor own = torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, torch::kDouble);
      own.copy_(reduce(own));
    };
  }
  return mode;
}

// The same nodes by LibTorch.
class Fallback {
 public:
  Fallback(const graph::Graph& graph, graph::NodeId first, graph::NodeId last, const Bind& bind,
           const NetworkOptions& options) {
    for (graph::NodeId id = first; id <= last; ++id) steps_.push_back(plain_step(graph, id, bind, options));
    channels_ = graph.in(graph.at(first)).c;
  }
  Tensor run(const Tensor& any_layout, const Pass& pass) const {
    const Tensor x = to_plain(any_layout, channels_);
    const graph::NodeId first = steps_.front().first;
    std::vector<Tensor> values(steps_.size());
    for (const Step& step : steps_) {
      std::vector<Tensor> inputs;
      for (const graph::NodeId input : step.inputs) {
        inputs.push_back(input < first ? x : values[static_cast<std::size_t>(input - first)]);
      }
      values[static_cast<std::size_t>(step.last - first)] = step.run(inputs, pass);
    }
    return values.back();
  }

 private:
  std::vector<Step> steps_;
  std::int64_t channels_ = 0;  // of the input
};

// ---- MBConv

// The order in which the function gets its tensors, x first.
enum Place {
  kExpand,
  kGamma1,
  kBeta1,
  kDepthwise,
  kGamma2,
  kBeta2,
  kReduce,
  kReduceBias,
  kExcite,
  kExciteBias,
  kProject,
  kGamma3,
  kBeta3,
  kPlaces
};
using Parameters = std::array<Tensor, kPlaces>;

struct MbConvCall : torch::CustomClassHolder {
  MbConvShape shape{};
  MbConvState state;
  std::array<NormTensors, 3> norms;
};

MbConvWeights weights_of(const Parameters& p) {
  return {data(p[kExpand]), data(p[kDepthwise]),  data(p[kProject]), data(p[kReduce]), data(p[kReduceBias]),
          data(p[kExcite]), data(p[kExciteBias]), data(p[kGamma1]),  data(p[kGamma2]), data(p[kGamma3])};
}

class MbConvFunction : public torch::autograd::Function<MbConvFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& expand, const Tensor& gamma1,
                        const Tensor& beta1, const Tensor& depthwise, const Tensor& gamma2, const Tensor& beta2,
                        const Tensor& reduce, const Tensor& reduce_bias, const Tensor& excite,
                        const Tensor& excite_bias, const Tensor& project, const Tensor& gamma3, const Tensor& beta3,
                        const c10::intrusive_ptr<MbConvCall>& call) {
    Parameters parameters{expand,      gamma1, beta1,       depthwise, gamma2, beta2, reduce,
                          reduce_bias, excite, excite_bias, project,   gamma3, beta3};
    for (Tensor& tensor : parameters) tensor = dense(tensor);
    const MbConvShape& shape = call->shape;
    const Tensor y1 = shape.expand ? pooled({shape.y1_floats()}) : Tensor(), y2 = pooled({shape.y2_floats()}),
                 y3 = pooled({shape.y3_floats()});
    Tensor out = pooled_blocks(shape.images, shape.out, shape.out_h, shape.out_w);
    std::array<NormTensors, 3>& norms = call->norms;
    norms[0].gamma = parameters[kGamma1];
    norms[0].beta = parameters[kBeta1];
    norms[1].gamma = parameters[kGamma2];
    norms[1].beta = parameters[kBeta2];
    norms[2].gamma = parameters[kGamma3];
    norms[2].beta = parameters[kBeta3];
    mbconv_forward(shape, weights_of(parameters), {norms[0].parameters(), norms[1].parameters(), norms[2].parameters()},
                   data(x), {mutable_data(y1), mutable_data(y2), mutable_data(y3)}, call->state, mutable_data(out));
    context->save_for_backward({x, y1, y2, y3, expand, gamma1, beta1, depthwise, gamma2, beta2, reduce, reduce_bias,
                                excite, excite_bias, project, gamma3, beta3});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto call = c10::static_intrusive_pointer_cast<MbConvCall>(context->saved_data["call"].toCapsule());
    const MbConvShape& shape = call->shape;
    const variable_list saved = context->get_saved_variables();
    Parameters parameters, wanted;
    for (std::size_t i = 0; i < kPlaces; ++i) {
      parameters[i] = dense(saved[4 + i]);
      if (parameters[i].defined()) wanted[i] = torch::empty_like(parameters[i]);
    }
    const Tensor dout = gradients[0].contiguous();
    Tensor dx = context->needs_input_grad(0) ? pooled_blocks(shape.images, shape.in, shape.in_h, shape.in_w) : Tensor();
    const std::shared_ptr<float> dh = workspace(shape.y2_floats());
    const std::shared_ptr<float> dz1 = shape.in_place() ? dh : workspace(shape.y1_floats());
    mbconv_backward(shape, weights_of(parameters), data(saved[0]),
                    {mutable_data(saved[1]), mutable_data(saved[2]), mutable_data(saved[3])}, call->state, data(dout),
                    dh.get(), dz1.get(),
                    {mutable_data(dx), mutable_data(wanted[kExpand]), mutable_data(wanted[kDepthwise]),
                     mutable_data(wanted[kProject]), mutable_data(wanted[kReduce]), mutable_data(wanted[kReduceBias]),
                     mutable_data(wanted[kExcite]), mutable_data(wanted[kExciteBias]), mutable_data(wanted[kGamma1]),
                     mutable_data(wanted[kBeta1]), mutable_data(wanted[kGamma2]), mutable_data(wanted[kBeta2]),
                     mutable_data(wanted[kGamma3]), mutable_data(wanted[kBeta3])});
    variable_list result{dx};
    result.insert(result.end(), wanted.begin(), wanted.end());
    result.emplace_back();
    return result;
  }
};

Step mbconv_step(const graph::Graph& graph, const MbConvNodes& nodes, graph::NodeId first, const Bind& bind,
                 const NetworkOptions& options) {
  MbConvShape shape{};
  const graph::Node& depthwise = graph.at(nodes.depthwise.conv);
  const auto& conv = std::get<graph::Conv>(depthwise.op);
  const graph::WindowPadding padding = graph::padding_of(graph, depthwise);
  shape.in = graph.at(nodes.input).out.c;
  shape.expanded = depthwise.out.c;
  shape.out = graph.at(nodes.project.conv).out.c;
  shape.kernel = conv.kernel;
  shape.stride = conv.stride;
  shape.top = padding.top;
  shape.left = padding.left;
  shape.in_h = graph.in(depthwise).h;
  shape.in_w = graph.in(depthwise).w;
  shape.out_h = depthwise.out.h;
  shape.out_w = depthwise.out.w;
  shape.expand = nodes.expand.has_value();
  shape.residual = nodes.add >= 0;
  shape.activation = activation_of(graph, nodes.depthwise.activate);

  Parameters parameters;
  std::array<NormTensors, 3> norms;
  const auto take = [&](graph::NodeId id, const char* role) { return bind(graph.at(id).name + role); };
  const auto take_norm = [&](std::size_t i, graph::NodeId id, Place gamma, Place beta) {
    norms[i] = norm_tensors(graph, id, bind, options);
    parameters[gamma] = norms[i].gamma;
    parameters[beta] = norms[i].beta;
  };
  if (nodes.expand) {
    parameters[kExpand] = take(nodes.expand->conv, ".weight");
    take_norm(0, nodes.expand->norm, kGamma1, kBeta1);
  }
  parameters[kDepthwise] = take(nodes.depthwise.conv, ".weight");
  take_norm(1, nodes.depthwise.norm, kGamma2, kBeta2);
  if (nodes.reduce >= 0) {
    shape.squeezed = graph.at(nodes.reduce).out.c;
    shape.squeeze_activation = activation_of(graph, nodes.squeeze_activate);
    parameters[kReduce] = take(nodes.reduce, ".weight");
    parameters[kReduceBias] = take(nodes.reduce, ".bias");
    parameters[kExcite] = take(nodes.excite, ".weight");
    parameters[kExciteBias] = take(nodes.excite, ".bias");
  }
  parameters[kProject] = take(nodes.project.conv, ".weight");
  take_norm(2, nodes.project.norm, kGamma3, kBeta3);
  std::optional<Step> drop_path;
  if (nodes.drop_path >= 0) drop_path = plain_step(graph, nodes.drop_path, bind, options);

  return {.pattern = "mbconv",
          .first = first,
          .last = nodes.last,
          .inputs = {nodes.input},
          .takes_blocked = true,
          .run = [=, fallback = Fallback(graph, first, nodes.last, bind, options)](std::span<const Tensor> inputs,
                                                                                   const Pass& pass) {
            if (!runs_here(inputs[0], parameters)) return fallback.run(inputs[0], pass);
            const Tensor x = to_blocked(inputs[0]).contiguous();
            auto call = c10::make_intrusive<MbConvCall>();
            call->shape = shape;
            call->shape.images = images_of(x);
            call->norms = norms;
            call->state.mode = mode_of(pass);
            if (drop_path && pass.training) {
              // What the plain step does to a branch of ones.
              const Tensor ones = torch::ones({images_of(x), 1, 1, 1});
              const Tensor keep = drop_path->run(std::array{ones}, pass);
              call->state.keep.assign(keep.data_ptr<float>(), keep.data_ptr<float>() + images_of(x));
            }
            Parameters p = parameters;
            std::transform(p.begin(), p.end(), p.begin(), or_empty);
            return MbConvFunction::apply(x, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11],
                                         p[12], call);
          }};
}

// ---- Convolution, batch norm, activation

struct ConvBnActCall : torch::CustomClassHolder {
  ConvBnActShape shape{};
  NormTensors norm;
  Norm state;
  NormMode mode;
};

class ConvBnActFunction : public torch::autograd::Function<ConvBnActFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& gamma,
                        const Tensor& beta, const c10::intrusive_ptr<ConvBnActCall>& call) {
    const ConvBnActShape& shape = call->shape;
    const Tensor kernel = weight.contiguous(), y = pooled({shape.y_floats()});
    Tensor out = pooled_blocks(shape.images, shape.out, shape.out_h, shape.out_w);
    call->norm.gamma = gamma.contiguous();
    call->norm.beta = beta.contiguous();
    conv_bn_act_forward(shape, data(kernel), call->norm.parameters(), data(x), call->mode, mutable_data(y), call->state,
                        mutable_data(out));
    context->save_for_backward({x, weight, gamma, y});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto call = c10::static_intrusive_pointer_cast<ConvBnActCall>(context->saved_data["call"].toCapsule());
    const ConvBnActShape& shape = call->shape;
    const variable_list saved = context->get_saved_variables();
    const Tensor weight = saved[1].contiguous(), gamma = saved[2].contiguous(), dout = gradients[0].contiguous();
    const Tensor dx =
        context->needs_input_grad(0) ? pooled_blocks(shape.images, shape.in, shape.in_h, shape.in_w) : Tensor();
    const Tensor dw = torch::empty_like(weight), dgamma = torch::empty_like(gamma), dbeta = torch::empty_like(gamma);
    const std::shared_ptr<float> dz = workspace(shape.y_floats());
    conv_bn_act_backward(shape, data(weight), data(gamma), data(saved[0]), call->mode, data(saved[3]), call->state,
                         data(dout), dz.get(),
                         {mutable_data(dx), mutable_data(dw), mutable_data(dgamma), mutable_data(dbeta)});
    return {dx, dw, dgamma, dbeta, Tensor()};
  }
};

Step conv_bn_act_step(const graph::Graph& graph, const ConvBnActNodes& nodes, const Bind& bind,
                      const NetworkOptions& options) {
  ConvBnActShape shape{};
  const graph::Node& node = graph.at(nodes.nodes.conv);
  const auto& conv = std::get<graph::Conv>(node.op);
  const graph::WindowPadding padding = graph::padding_of(graph, node);
  shape.in = graph.in(node).c;
  shape.in_h = graph.in(node).h;
  shape.in_w = graph.in(node).w;
  shape.out = node.out.c;
  shape.out_h = node.out.h;
  shape.out_w = node.out.w;
  shape.kernel = conv.kernel;
  shape.stride = conv.stride;
  shape.top = padding.top;
  shape.left = padding.left;
  shape.activation = activation_of(graph, nodes.nodes.activate);
  const NormTensors norm = norm_tensors(graph, nodes.nodes.norm, bind, options);
  const Tensor weight = bind(node.name + ".weight");
  return {.pattern = "conv_bn_act",
          .first = nodes.nodes.conv,
          .last = nodes.last,
          .inputs = {nodes.input},
          .takes_blocked = shape.pointwise(),
          .run = [=, fallback = Fallback(graph, nodes.nodes.conv, nodes.last, bind, options)](
                     std::span<const Tensor> inputs, const Pass& pass) {
            // The gradient of a window's input is not known here.
            const bool known = shape.pointwise() || !(inputs[0].requires_grad() && torch::GradMode::is_enabled());
            if (!known || !runs_here(inputs[0], std::array{weight, norm.gamma, norm.beta})) {
              return fallback.run(inputs[0], pass);
            }
            const Tensor x = shape.pointwise() ? to_blocked(inputs[0]).contiguous()
                                               : inputs[0].contiguous(torch::MemoryFormat::ChannelsLast);
            auto call = c10::make_intrusive<ConvBnActCall>();
            call->shape = shape;
            call->shape.images = images_of(x);
            call->norm = norm;
            call->mode = mode_of(pass);
            return ConvBnActFunction::apply(x, weight, norm.gamma, norm.beta, call);
          }};
}

// ---- Linear

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Tensor input = x.contiguous(), kernel = weight.contiguous(), biases = bias.contiguous();
    const LinearShape shape{input.size(0), kernel.size(1), kernel.size(0)};
    Tensor out = torch::empty({shape.n, shape.out});
    linear_forward(shape, data(input), data(kernel), data(biases), mutable_data(out));
    context->save_for_backward({input, weight});
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor weight = saved[1].contiguous(), dy = gradients[0].contiguous();
    const LinearShape shape{saved[0].size(0), weight.size(1), weight.size(0)};
    const Tensor dx = context->needs_input_grad(0) ? torch::empty_like(saved[0]) : Tensor();
    const Tensor dw = torch::empty_like(weight), dbias = torch::empty({shape.out});
    linear_backward(shape, data(saved[0]), data(weight), data(dy), mutable_data(dx), mutable_data(dw),
                    mutable_data(dbias));
    return {dx, dw, dbias};
  }
};

Step linear_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind, const NetworkOptions& options) {
  Step step = plain_step(graph, id, bind, options);
  const std::string& name = graph.at(id).name;
  step.pattern = "linear";
  step.run = [plain = step.run, weight = bind(name + ".weight"), bias = bind(name + ".bias")](
                 std::span<const Tensor> inputs, const Pass& pass) {
    if (!runs_here(inputs[0], std::array{weight, bias})) return plain(inputs, pass);
    return LinearFunction::apply(inputs[0].flatten(1), weight, bias).unsqueeze(-1).unsqueeze(-1);
  };
  return step;
}

}  // namespace

std::optional<Step> fused_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind,
                               const NetworkOptions& options) {
  if (const auto nodes = match_mbconv(graph, id)) return mbconv_step(graph, *nodes, id, bind, options);
  if (const auto nodes = match_conv_bn_act(graph, id)) return conv_bn_act_step(graph, *nodes, bind, options);
  if (std::holds_alternative<graph::Linear>(graph.at(id).op)) return linear_step(graph, id, bind, options);
  return std::nullopt;
}

}  // namespace effnet::nn
