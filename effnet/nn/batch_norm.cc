#include "effnet/nn/batch_norm.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <utility>

namespace effnet::nn {
namespace {

using torch::Tensor;
using Reduce = std::function<Tensor(const Tensor&)>;

// Holds the all-reduce function in a type that an autograd context can store for the backward pass.
struct ReduceHolder : torch::CustomClassHolder {
  explicit ReduceHolder(Reduce function) : reduce(std::move(function)) {}
  Reduce reduce;
};

Tensor per_channel(const Tensor& values) { return values.view({1, -1, 1, 1}); }

// Mean and biased variance over n, h and w. LibTorch's CPU kernel accepts float and double only. The CUDA kernel
// accepts any dtype and returns float.
std::pair<Tensor, Tensor> moments(const Tensor& x) {
  const bool narrow = x.device().is_cpu() && x.scalar_type() != torch::kFloat && x.scalar_type() != torch::kDouble;
  const auto [mean, variance] = at::batch_norm_update_stats(narrow ? x.to(torch::kFloat) : x, {}, {}, 0.0);
  return {mean, variance};
}

// moving = momentum * moving + (1 - momentum) * batch.
void update_moving_statistics(const BatchNormState& state, const ForwardContext& pass, const Tensor& mean,
                              const Tensor& variance) {
  const torch::NoGradGuard no_gradient;
  const double momentum = state.momentum_in(pass);
  state.mean.mul_(momentum).add_(mean, 1 - momentum);
  state.variance.mul_(momentum).add_(variance, 1 - momentum);
}

// Synchronised batch norm: the statistics cover the batches of all processes. The variance is combined by the formula
// of Chan, Golub and LeVeque (1979): each process computes its sum of squares about its local mean, and the sum is then
// moved to the global mean, which avoids cancellation. Sums are exchanged as doubles.
//
// The gradient has the same form as in one process, but its sums cover all processes. Let y = w * xhat + b, and let S1
// and S2 be the sums of dy and of dy * xhat over all N values of a channel. Then
// dx = w / std * (dy - S1 / N - xhat * S2 / N). dw and db are the sums of this process only; data-parallel training
// adds the gradients of all processes later.
class SyncBatchNorm : public torch::autograd::Function<SyncBatchNorm> {
 public:
  // Returns y, mean, biased variance and N (a tensor of one element); the last three are not differentiable.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const Tensor& x,
                                                const Tensor& weight, const Tensor& bias, double epsilon,
                                                c10::intrusive_ptr<ReduceHolder> holder) {
    const auto [local_mean, local_variance] = moments(x);
    const double count = static_cast<double>(x.numel() / x.size(1));
    const Tensor center = local_mean.to(torch::kDouble);
    const Tensor sums = holder->reduce(torch::cat({center * count, torch::full({1}, count, center.options())}));
    const Tensor total = sums.slice(0, -1);
    const Tensor mean = sums.slice(0, 0, -1) / total;
    const Tensor squares = (local_variance.to(torch::kDouble) + (center - mean).square()) * count;
    const Tensor variance = holder->reduce(squares) / total;

    const auto stored = weight.options().requires_grad(false);
    const Tensor narrow_mean = mean.to(stored), narrow_variance = variance.to(stored);
    Tensor y = std::get<0>(
        at::native_batch_norm(x, weight, bias, narrow_mean, narrow_variance, /*training=*/false, 0.0, epsilon));
    context->save_for_backward({x, weight, narrow_mean, (variance + epsilon).rsqrt().to(stored), total});
    context->saved_data["reduce"] = c10::IValue::make_capsule(std::move(holder));
    context->mark_non_differentiable({narrow_mean, narrow_variance, total});
    return {y, narrow_mean, narrow_variance, total};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3], &total = saved[4];
    const auto holder = c10::static_intrusive_pointer_cast<ReduceHolder>(context->saved_data["reduce"].toCapsule());
    const Tensor dy = gradients[0].to(weight.scalar_type()).contiguous(torch::MemoryFormat::ChannelsLast);
    const Tensor centered = x - per_channel(mean);
    const std::vector<std::int64_t> pixels{0, 2, 3};
    const Tensor sum = dy.sum(pixels), product = (dy * centered).sum(pixels) * inverse;
    const Tensor means = (holder->reduce(torch::cat({sum, product}).to(torch::kDouble)) / total).to(weight.options());
    const Tensor mean_sum = means.slice(0, 0, x.size(1)), mean_product = means.slice(0, x.size(1));
    const Tensor dx =
        (dy - per_channel(mean_sum) - centered * per_channel(inverse * mean_product)) * per_channel(weight * inverse);
    return {dx.to(x.scalar_type()), product, sum, Tensor(), Tensor()};
  }
};

}  // namespace

BatchNormState batch_norm_state(const graph::Node& node, const Bind& bind, const NetworkOptions& options) {
  const auto& op = std::get<graph::BatchNorm>(node.op);
  return {.weight = bind(node.name + ".weight"),
          .bias = bind(node.name + ".bias"),
          .mean = bind(node.name + ".running_mean"),
          .variance = bind(node.name + ".running_var"),
          .epsilon = op.epsilon,
          .momentum = options.bn_momentum.value_or(op.momentum),
          .unbiased = options.unbiased_moving_variance};
}

Tensor batch_norm_training(const Tensor& x, const BatchNormState& state, const ForwardContext& pass) {
  if (pass.all_reduce) {
    const auto out = SyncBatchNorm::apply(x, state.weight, state.bias, state.epsilon,
                                          c10::make_intrusive<ReduceHolder>(pass.all_reduce));
    const Tensor& total = out[3];
    const Tensor variance =
        state.unbiased ? out[2] * (total / (total - 1).clamp_min(1)).to(out[2].scalar_type()) : out[2];
    update_moving_statistics(state, pass, out[1], variance);
    return out[0];
  }
  // LibTorch updates moving statistics with the unbiased variance only. With LibTorch's momentum 1 it writes the
  // statistics of the batch itself. The biased variance is then computed from the unbiased one.
  const double count = static_cast<double>(x.numel() / x.size(1));
  const Tensor mean = torch::zeros_like(state.mean), variance = torch::zeros_like(state.variance);
  Tensor y = at::batch_norm(x, state.weight, state.bias, mean, variance, /*training=*/true, /*momentum=*/1.0,
                            state.epsilon, at::globalContext().userEnabledCuDNN());
  const bool single = count < 2;  // one value per channel: the unbiased variance is 0 / 0
  update_moving_statistics(state, pass, mean,
                           single           ? torch::zeros_like(variance)
                           : state.unbiased ? variance
                                            : variance * ((count - 1) / count));
  return y;
}

}  // namespace effnet::nn
