// The autograd function and the fused step for layers/conv_bn_act.h.
#include <torch/autograd.h>

#include "effnet/layers/conv_bn_act.h"

#include <array>

#include "effnet/nn/fused.h"
#include "effnet/nn/layout.h"
#include "effnet/nn/resources.h"

namespace effnet::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ConvBnActCall : torch::CustomClassHolder {
  layers::ConvBnActShape shape{};
  layers::BatchNormParameters parameters;  // read by forward only; points into tensors that the step owns
  layers::BatchNormMode mode;
  layers::BatchNormConstants norm;
};

class ConvBnActFunction : public torch::autograd::Function<ConvBnActFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& gamma,
                        const Tensor& beta, const c10::intrusive_ptr<ConvBnActCall>& call) {
    const layers::ConvBnActShape& shape = call->shape;
    const Tensor kernel = weight.contiguous(), scale = gamma.contiguous(), shift = beta.contiguous();
    const Tensor y = workspace_tensor({shape.y_floats()});
    Tensor out = workspace_blocks(shape.images, shape.out, shape.out_h, shape.out_w);
    call->parameters.gamma = data(scale);
    call->parameters.beta = data(shift);
    const layers::Loops loops = shared_loops(!call->mode.sum_all);
    layers::conv_bn_act_forward({shared_kernels(), loops, shared_workspace()}, shape, data(kernel), call->parameters,
                                data(x), call->mode, data(y), call->norm, data(out));
    context->save_for_backward({x, weight, gamma, y});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto call = c10::static_intrusive_pointer_cast<ConvBnActCall>(context->saved_data["call"].toCapsule());
    const layers::ConvBnActShape& shape = call->shape;
    const variable_list saved = context->get_saved_variables();
    const Tensor weight = saved[1].contiguous(), gamma = saved[2].contiguous(), dout = gradients[0].contiguous();
    const Tensor dx =
        context->needs_input_grad(0) ? workspace_blocks(shape.images, shape.in, shape.in_h, shape.in_w) : Tensor();
    const Tensor dw = torch::empty_like(weight), dgamma = torch::empty_like(gamma), dbeta = torch::empty_like(gamma);
    const layers::Loops loops = shared_loops(!call->mode.sum_all);
    layers::conv_bn_act_backward({shared_kernels(), loops, shared_workspace()}, shape, data(weight), data(gamma),
                                 data(saved[0]), call->mode, data(saved[3]), call->norm, data(dout),
                                 {.x = data(dx), .weight = data(dw), .gamma = data(dgamma), .beta = data(dbeta)});
    return {dx, dw, dgamma, dbeta, Tensor()};
  }
};

}  // namespace

Step conv_bn_act_step(const graph::Graph& graph, const ConvBnActNodes& nodes, const Bind& bind,
                      const NetworkOptions& options) {
  const graph::Node& node = graph.at(nodes.nodes.conv);
  const auto& conv = std::get<graph::Conv>(node.op);
  const graph::WindowPadding padding = graph::padding_of(graph, node);
  const Chw& in = graph.in(node);
  const layers::ConvBnActShape shape{.images = 0,  // set for each batch
                                     .in_h = in.h,
                                     .in_w = in.w,
                                     .out_h = node.out.h,
                                     .out_w = node.out.w,
                                     .in = in.c,
                                     .out = node.out.c,
                                     .kernel = conv.kernel,
                                     .stride = conv.stride,
                                     .top = padding.top,
                                     .left = padding.left,
                                     .activation = epilogue_params_of(graph, nodes.nodes.activate)};
  const BatchNormState norm = batch_norm_state(graph.at(nodes.nodes.norm), bind, options);
  const Tensor weight = bind(node.name + ".weight");
  return {.pattern = "conv_bn_act",
          .first = nodes.nodes.conv,
          .last = nodes.last,
          .inputs = {nodes.input},
          .accepts_blocked = shape.pointwise(),
          .run = [=, fallback = Fallback(graph, nodes.nodes.conv, nodes.last, bind, options)](
                     std::span<const Tensor> inputs, const ForwardContext& pass) {
            // The layer computes the gradient of its input only if it is pointwise.
            const bool differentiable =
                shape.pointwise() || !(inputs[0].requires_grad() && torch::GradMode::is_enabled());
            if (!differentiable || !can_run_fused(inputs[0], std::array{weight, norm.weight, norm.bias})) {
              return fallback.run(inputs[0], pass);
            }
            const Tensor x = shape.pointwise() ? to_blocked(inputs[0]).contiguous()
                                               : inputs[0].contiguous(torch::MemoryFormat::ChannelsLast);
            auto call = c10::make_intrusive<ConvBnActCall>();
            call->shape = shape;
            call->shape.images = batch_size_of(x);
            call->parameters = batch_norm_parameters(norm, pass);
            call->mode = batch_norm_mode(pass);
            return ConvBnActFunction::apply(x, weight, norm.weight, norm.bias, call);
          }};
}

}  // namespace effnet::nn
