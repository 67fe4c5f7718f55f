#include "effnet/nn/layout.h"

#include <torch/autograd.h>

#include <functional>
#include <numeric>

#include "effnet/layers/layout.h"
#include "effnet/nn/resources.h"

namespace effnet::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor blocks_of_rows(const Tensor& x) {
  const Tensor rows = x.contiguous(torch::MemoryFormat::ChannelsLast);
  const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  Tensor blocks = workspace_blocks(n, c, h, w);
  const layers::Loops loops = shared_loops();
  layers::to_blocks({shared_kernels(), loops, shared_workspace()}, rows.data_ptr<float>(), c, n * h * w,
                    blocks.data_ptr<float>());
  return blocks;
}

Tensor rows_of_blocks(const Tensor& x, std::int64_t channels) {
  const Tensor blocks = x.contiguous();
  const std::int64_t n = x.size(1), h = x.size(2), w = x.size(3);
  Tensor rows = workspace_channels_last(n, channels, h, w);
  const layers::Loops loops = shared_loops();
  layers::to_rows({shared_kernels(), loops, shared_workspace()}, blocks.data_ptr<float>(), channels, n * h * w,
                  rows.data_ptr<float>());
  return rows;
}

class ToBlocked : public torch::autograd::Function<ToBlocked> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x) {
    context->saved_data["channels"] = x.size(1);
    return blocks_of_rows(x);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {rows_of_blocks(gradients[0], context->saved_data["channels"].toInt())};
  }
};

class ToChannelsLast : public torch::autograd::Function<ToChannelsLast> {
 public:
  static Tensor forward(AutogradContext*, const Tensor& x, std::int64_t channels) {
    return rows_of_blocks(x, channels);
  }
  static variable_list backward(AutogradContext*, variable_list gradients) {
    return {blocks_of_rows(gradients[0]), Tensor()};
  }
};

Tensor workspace_strided(const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& strides) {
  const std::shared_ptr<float> memory =
      shared_workspace().floats(std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>()));
  return torch::from_blob(
      memory.get(), dims, strides, [memory](void*) {}, torch::kFloat);
}

}  // namespace

Tensor to_blocked(const Tensor& x) { return is_blocked(x) ? x : ToBlocked::apply(x); }
Tensor to_channels_last(const Tensor& x, std::int64_t channels) {
  return is_blocked(x) ? ToChannelsLast::apply(x, channels) : x;
}

Tensor workspace_tensor(const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return workspace_strided(dims, strides);
}
Tensor workspace_channels_last(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return workspace_strided({n, c, h, w}, {h * w * c, 1, w * c, c});
}
Tensor workspace_blocks(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return workspace_tensor({layers::blocks_of(c), n, h, w, layers::kBlock});
}

}  // namespace effnet::nn
