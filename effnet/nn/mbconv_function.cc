// The autograd function and the fused step for layers/mbconv.h.
#include <torch/autograd.h>

#include "effnet/layers/mbconv.h"

#include <algorithm>
#include <array>

#include "effnet/nn/fused.h"
#include "effnet/nn/layout.h"
#include "effnet/nn/resources.h"

namespace effnet::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The order of MbConvFunction's parameters after x.
enum ParameterIndex {
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
  kParameterCount
};
using Parameters = std::array<Tensor, kParameterCount>;
constexpr ParameterIndex kGammas[3] = {kGamma1, kGamma2, kGamma3}, kBetas[3] = {kBeta1, kBeta2, kBeta3};

// An autograd function accepts no undefined tensors, so an empty tensor replaces a parameter that a block does not
// have. dense() converts it back to an undefined one.
Tensor or_empty(const Tensor& x) { return x.defined() ? x : torch::empty({0}); }
Tensor dense(const Tensor& x) { return x.numel() > 0 ? x.contiguous() : Tensor(); }

struct MbConvCall : torch::CustomClassHolder {
  layers::MbConvShape shape{};
  layers::BatchNormParameters norms[3];  // read by forward only; point into tensors that the step owns
  layers::MbConvState state;
};

layers::MbConvWeights weights_of(const Parameters& p) {
  return {.expand = data(p[kExpand]),
          .depthwise = data(p[kDepthwise]),
          .project = data(p[kProject]),
          .squeeze = {.reduce = data(p[kReduce]),
                      .reduce_bias = data(p[kReduceBias]),
                      .excite = data(p[kExcite]),
                      .excite_bias = data(p[kExciteBias])},
          .gamma1 = data(p[kGamma1]),
          .gamma2 = data(p[kGamma2]),
          .gamma3 = data(p[kGamma3])};
}
layers::MbConvGradients gradients_of(const Tensor& dx, const Parameters& p) {
  return {.x = data(dx),
          .expand = data(p[kExpand]),
          .depthwise = data(p[kDepthwise]),
          .project = data(p[kProject]),
          .squeeze = {.reduce = data(p[kReduce]),
                      .reduce_bias = data(p[kReduceBias]),
                      .excite = data(p[kExcite]),
                      .excite_bias = data(p[kExciteBias])},
          .gamma1 = data(p[kGamma1]),
          .beta1 = data(p[kBeta1]),
          .gamma2 = data(p[kGamma2]),
          .beta2 = data(p[kBeta2]),
          .gamma3 = data(p[kGamma3]),
          .beta3 = data(p[kBeta3])};
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
    const layers::MbConvShape& shape = call->shape;
    const Tensor y1 = shape.expand ? workspace_tensor({shape.y1_floats()}) : Tensor(),
                 y2 = workspace_tensor({shape.y2_floats()}), y3 = workspace_tensor({shape.y3_floats()});
    Tensor out = workspace_blocks(shape.images, shape.out, shape.out_h, shape.out_w);
    for (std::size_t i = 0; i < 3; ++i) {
      call->norms[i].gamma = data(parameters[kGammas[i]]);
      call->norms[i].beta = data(parameters[kBetas[i]]);
    }
    const layers::Loops loops = shared_loops(!call->state.mode.sum_all);
    layers::mbconv_forward({shared_kernels(), loops, shared_workspace()}, shape, weights_of(parameters), call->norms,
                           data(x), {data(y1), data(y2), data(y3)}, call->state, data(out));
    context->save_for_backward({x, y1, y2, y3, expand, gamma1, beta1, depthwise, gamma2, beta2, reduce, reduce_bias,
                                excite, excite_bias, project, gamma3, beta3});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto call = c10::static_intrusive_pointer_cast<MbConvCall>(context->saved_data["call"].toCapsule());
    const layers::MbConvShape& shape = call->shape;
    const variable_list saved = context->get_saved_variables();
    Parameters parameters, wanted;
    for (std::size_t i = 0; i < kParameterCount; ++i) {
      parameters[i] = dense(saved[4 + i]);
      if (parameters[i].defined()) wanted[i] = torch::empty_like(parameters[i]);
    }
    const Tensor dout = gradients[0].contiguous();
    Tensor dx =
        context->needs_input_grad(0) ? workspace_blocks(shape.images, shape.in, shape.in_h, shape.in_w) : Tensor();
    const layers::Loops loops = shared_loops(!call->state.mode.sum_all);
    layers::mbconv_backward({shared_kernels(), loops, shared_workspace()}, shape, weights_of(parameters),
                            data(saved[0]), {data(saved[1]), data(saved[2]), data(saved[3])}, call->state, data(dout),
                            gradients_of(dx, wanted));
    variable_list result{dx};
    result.insert(result.end(), wanted.begin(), wanted.end());
    result.emplace_back();
    return result;
  }
};

layers::MbConvShape shape_of(const graph::Graph& graph, const MbConvNodes& nodes) {
  const graph::Node& depthwise = graph.at(nodes.depthwise.conv);
  const auto& conv = std::get<graph::Conv>(depthwise.op);
  const graph::WindowPadding padding = graph::padding_of(graph, depthwise);
  layers::MbConvShape shape{.images = 0,  // set for each batch
                            .in_h = graph.in(depthwise).h,
                            .in_w = graph.in(depthwise).w,
                            .out_h = depthwise.out.h,
                            .out_w = depthwise.out.w,
                            .in = graph.at(nodes.input).out.c,
                            .expanded = depthwise.out.c,
                            .out = graph.at(nodes.project.conv).out.c,
                            .kernel = conv.kernel,
                            .stride = conv.stride,
                            .top = padding.top,
                            .left = padding.left,
                            .expand = nodes.expand.has_value(),
                            .residual = nodes.add >= 0,
                            .activation = epilogue_params_of(graph, nodes.depthwise.activate)};
  if (nodes.reduce >= 0) {
    shape.squeezed = graph.at(nodes.reduce).out.c;
    shape.squeeze_activation = epilogue_params_of(graph, nodes.squeeze_activate);
  }
  return shape;
}

// A block's parameters and batch norms. Those that the block does not have are undefined.
struct Bound {
  Parameters parameters;
  std::array<BatchNormState, 3> norms;
};
Bound bind_all(const graph::Graph& graph, const MbConvNodes& nodes, const Bind& bind, const NetworkOptions& options) {
  Bound bound;
  const auto take = [&](ParameterIndex index, NodeId id, const char* role) {
    bound.parameters[index] = bind(graph.at(id).name + role);
  };
  const auto take_conv = [&](std::size_t i, ParameterIndex index, const ConvNodes& conv) {
    take(index, conv.conv, ".weight");
    bound.norms[i] = batch_norm_state(graph.at(conv.norm), bind, options);
    bound.parameters[kGammas[i]] = bound.norms[i].weight;
    bound.parameters[kBetas[i]] = bound.norms[i].bias;
  };
  if (nodes.expand) take_conv(0, kExpand, *nodes.expand);
  take_conv(1, kDepthwise, nodes.depthwise);
  if (nodes.reduce >= 0) {
    take(kReduce, nodes.reduce, ".weight");
    take(kReduceBias, nodes.reduce, ".bias");
    take(kExcite, nodes.excite, ".weight");
    take(kExciteBias, nodes.excite, ".bias");
  }
  take_conv(2, kProject, nodes.project);
  return bound;
}

}  // namespace

Step mbconv_step(const graph::Graph& graph, const MbConvNodes& nodes, NodeId first, const Bind& bind,
                 const NetworkOptions& options) {
  std::optional<Step> drop_path;
  if (nodes.drop_path >= 0) drop_path = plain_step(graph, nodes.drop_path, bind, options);
  return {.pattern = "mbconv",
          .first = first,
          .last = nodes.last,
          .inputs = {nodes.input},
          .accepts_blocked = true,
          .run = [shape = shape_of(graph, nodes), bound = bind_all(graph, nodes, bind, options), drop_path,
                  fallback = Fallback(graph, first, nodes.last, bind, options)](std::span<const Tensor> inputs,
                                                                                const ForwardContext& pass) {
            if (!can_run_fused(inputs[0], bound.parameters)) return fallback.run(inputs[0], pass);
            const Tensor x = to_blocked(inputs[0]).contiguous();
            auto call = c10::make_intrusive<MbConvCall>();
            call->shape = shape;
            call->shape.images = batch_size_of(x);
            for (std::size_t i = 0; i < 3; ++i) call->norms[i] = batch_norm_parameters(bound.norms[i], pass);
            call->state.mode = batch_norm_mode(pass);
            if (drop_path && pass.training) {
              // The plain step of drop path, applied to ones, gives the factor of each image.
              const Tensor ones = torch::ones({batch_size_of(x), 1, 1, 1});
              const Tensor scale = drop_path->run(std::array{ones}, pass);
              call->state.drop_path_scale.assign(scale.data_ptr<float>(), scale.data_ptr<float>() + batch_size_of(x));
            }
            Parameters p = bound.parameters;
            std::transform(p.begin(), p.end(), p.begin(), or_empty);
            return MbConvFunction::apply(x, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11],
                                         p[12], call);
          }};
}

}  // namespace effnet::nn
