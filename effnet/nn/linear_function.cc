// The autograd function and the fused step for layers/linear.h.
#include <torch/autograd.h>

#include <array>

#include "effnet/layers/linear.h"
#include "effnet/nn/fused.h"
#include "effnet/nn/resources.h"

namespace effnet::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Tensor input = x.contiguous(), kernel = weight.contiguous(), biases = bias.contiguous();
    const layers::LinearShape shape{input.size(0), kernel.size(1), kernel.size(0)};
    Tensor out = torch::empty({shape.n, shape.out});
    const layers::Loops loops = shared_loops();
    layers::linear_forward({shared_kernels(), loops, shared_workspace()}, shape, data(input), data(kernel),
                           data(biases), data(out));
    context->save_for_backward({input, weight});
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor weight = saved[1].contiguous(), dy = gradients[0].contiguous();
    const layers::LinearShape shape{saved[0].size(0), weight.size(1), weight.size(0)};
    const Tensor dx = context->needs_input_grad(0) ? torch::empty_like(saved[0]) : Tensor();
    const Tensor dw = torch::empty_like(weight), dbias = torch::empty({shape.out});
    const layers::Loops loops = shared_loops();
    layers::linear_backward({shared_kernels(), loops, shared_workspace()}, shape, data(saved[0]), data(weight),
                            data(dy), data(dx), data(dw), data(dbias));
    return {dx, dw, dbias};
  }
};

}  // namespace

Step linear_step(const graph::Graph& graph, NodeId id, const Bind& bind, const NetworkOptions& options) {
  Step step = plain_step(graph, id, bind, options);
  const std::string& name = graph.at(id).name;
  step.pattern = "linear";
  step.run = [plain = step.run, weight = bind(name + ".weight"), bias = bind(name + ".bias")](
                 std::span<const Tensor> inputs, const ForwardContext& pass) {
    if (!can_run_fused(inputs[0], std::array{weight, bias})) return plain(inputs, pass);
    return LinearFunction::apply(inputs[0].flatten(1), weight, bias).unsqueeze(-1).unsqueeze(-1);
  };
  return step;
}

}  // namespace effnet::nn
