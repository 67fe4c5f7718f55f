#include "effnet/nn/batch_norm.h"

#include <utility>

namespace effnet::nn {
namespace {

using torch::Tensor;
using Reduce = std::function<Tensor(const Tensor&)>;

// What a custom function can keep for its backward.
struct KeptReduce : torch::CustomClassHolder {
  explicit KeptReduce(Reduce function) : reduce(std::move(function)) {}
  Reduce reduce;
};

Tensor per_channel(const Tensor& values) { return values.view({1, -1, 1, 1}); }

// Mean and biased variance over n, h and w. CPU's kernel takes float and double; CUDA's any, giving float.
std::pair<Tensor, Tensor> moments(const Tensor& x) {
  const bool narrow = x.device().is_cpu() && x.scalar_type() != torch::kFloat && x.scalar_type() != torch::kDouble;
  const auto [mean, variance] = at::batch_norm_update_stats(narrow ? x.to(torch::kFloat) : x, {}, {}, 0.0);
  return {mean, variance};
}

void move_statistics(const BatchNormState& state, const Pass& pass, const Tensor& mean, const Tensor& variance) {
  const torch::NoGradGuard no_gradient;
  const double momentum = state.momentum_in(pass);
  state.mean.mul_(momentum).add_(mean, 1 - momentum);
  state.variance.mul_(momentum).add_(variance, 1 - momentum);
}

// Batch norm over the batches of all processes. Parallel variance by Chan, Golub and LeVeque (1979): sums of squares
// are taken about the local means and moved to the global one, so nothing cancels. Sums travel as doubles.
//
// The gradient has the local form with sums over all processes: with y = w xhat + b and the sums S1 of dy and S2 of
// dy * xhat over N values, dx = w / std * (dy - S1 / N - xhat * S2 / N); dw and db are this process's own sums, which
// data-parallel training adds up later like every other gradient.
class SyncBatchNorm : public torch::autograd::Function<SyncBatchNorm> {
 public:
  // Returns y, mean, biased variance and N (a tensor of one element); the last three are not differentiable.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const Tensor& x,
                                                const Tensor& weight, const Tensor& bias, double epsilon,
                                                c10::intrusive_ptr<KeptReduce> kept) {
    const auto [local_mean, local_variance] = moments(x);
    const double count = static_cast<double>(x.numel() / x.size(1));
    const Tensor center = local_mean.to(torch::kDouble);
    const Tensor sums = kept->reduce(torch::cat({center * count, torch::full({1}, count, center.options())}));
    const Tensor total = sums.slice(0, -1);
    const Tensor mean = sums.slice(0, 0, -1) / total;
    const Tensor squares = (local_variance.to(torch::kDouble) + (center - mean).square()) * count;
    const Tensor variance = kept->reduce(squares) / total;

    const auto stored = weight.options().requires_grad(false);
    const Tensor narrow_mean = mean.to(stored), narrow_variance = variance.to(stored);
    Tensor y = std::get<0>(
        at::native_batch_norm(x, weight, bias, narrow_mean, narrow_variance, /*training=*/false, 0.0, epsilon));
    context->save_for_backward({x, weight, narrow_mean, (variance + epsilon).rsqrt().to(stored), total});
    context->saved_data["reduce"] = c10::IValue::make_capsule(std::move(kept));
    context->mark_non_differentiable({narrow_mean, narrow_variance, total});
    return {y, narrow_mean, narrow_variance, total};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3], &total = saved[4];
    const auto kept = c10::static_intrusive_pointer_cast<KeptReduce>(context->saved_data["reduce"].toCapsule());
    const Tensor dy = gradients[0].to(weight.scalar_type()).contiguous(torch::MemoryFormat::ChannelsLast);
    const Tensor centered = x - per_channel(mean);
    const std::vector<std::int64_t> pixels{0, 2, 3};
    const Tensor sum = dy.sum(pixels), product = (dy * centered).sum(pixels) * inverse;
    const Tensor means = (kept->reduce(torch::cat({sum, product}).to(torch::kDouble)) / total).to(weight.options());
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

Tensor batch_norm_training(const Tensor& x, const BatchNormState& state, const Pass& pass) {
  if (pass.all_reduce) {
    const auto out = SyncBatchNorm::apply(x, state.weight, state.bias, state.epsilon,
                                          c10::make_intrusive<KeptReduce>(pass.all_reduce));
    const Tensor& total = out[3];
    const Tensor variance =
        state.unbiased ? out[2] * (total / (total - 1).clamp_min(1)).to(out[2].scalar_type()) : out[2];
    move_statistics(state, pass, out[1], variance);
    return out[0];
  }
  // LibTorch writes moving statistics with the unbiased variance. With momentum 1 they are the batch's own, from which
  // the biased one follows.
  const double count = static_cast<double>(x.numel() / x.size(1));
  const Tensor mean = torch::zeros_like(state.mean), variance = torch::zeros_like(state.variance);
  Tensor y = at::batch_norm(x, state.weight, state.bias, mean, variance, /*training=*/true, /*momentum=*/1.0,
                            state.epsilon, at::globalContext().userEnabledCuDNN());
  const bool single = count < 2;  // of one value a channel: 0 / 0
  move_statistics(state, pass, mean,
                  single           ? torch::zeros_like(variance)
                  : state.unbiased ? variance
                                   : variance * ((count - 1) / count));
  return y;
}

}  // namespace effnet::nn
