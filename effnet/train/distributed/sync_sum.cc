#include "effnet/train/distributed/sync_sum.h"

#include <torch/autograd.h>

namespace effnet::train {
namespace {

class SyncSum : public torch::autograd::Function<SyncSum> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x, Group* group) {
    context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
    torch::Tensor y = x.clone(torch::MemoryFormat::Contiguous);
    group->sum(y);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    torch::Tensor gradient = gradients[0].clone(torch::MemoryFormat::Contiguous);
    reinterpret_cast<Group*>(context->saved_data["group"].toInt())->sum(gradient);
    return {gradient, torch::Tensor()};
  }
};

}  // namespace

torch::Tensor sync_sum(const torch::Tensor& x, Group& group) { return SyncSum::apply(x, &group); }

}  // namespace effnet::train
