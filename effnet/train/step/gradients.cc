#include "effnet/train/step/gradients.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "effnet/nn/resources.h"

namespace effnet::train {
namespace {

// In double the square of a float cannot overflow, and the rounding error of the sum is far below that of a float. With
// eight separate sums the compiler can use vector instructions and the order of summation is still fixed.
double sum_of_squares(const float* x, std::int64_t n) {
  constexpr std::int64_t kLanes = 8;
  double sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double sum = 0;
  for (const double lane : sums) sum += lane;
  return sum;
}

constexpr std::int64_t kTaskElements = 1 << 15;

double sum_of_squares(const layers::Loops& loops, const torch::Tensor& tensor) {
  const bool dense = tensor.is_non_overlapping_and_dense() && tensor.scalar_type() == torch::kFloat;
  const torch::Tensor x = dense ? tensor : tensor.to(torch::kFloat).contiguous();
  const float* const from = x.data_ptr<float>();
  const std::int64_t n = x.numel();
  std::vector<double> sums(static_cast<std::size_t>((n + kTaskElements - 1) / kTaskElements));
  loops.parallel(static_cast<std::int64_t>(sums.size()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      sums[static_cast<std::size_t>(task)] =
          sum_of_squares(from + task * kTaskElements, std::min(kTaskElements, n - task * kTaskElements));
    }
  });
  double sum = 0;
  for (const double partial : sums) sum += partial;
  return sum;
}

}  // namespace

std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  return gradients;
}

void drop_gradients(const std::vector<torch::Tensor>& parameters) {
  for (const torch::Tensor& parameter : parameters) parameter.mutable_grad().reset();
}

double norm_of(const std::vector<torch::Tensor>& tensors) {
  if (tensors.empty()) return 0;
  if (!tensors.front().is_cpu()) {
    return torch::stack(at::_foreach_norm(tensors, 2)).to(torch::kDouble).norm().item<double>();
  }
  const layers::Loops loops = nn::shared_loops();  // holds the team for hundreds of small loops
  double sum = 0;
  for (const torch::Tensor& tensor : tensors) sum += sum_of_squares(loops, tensor);
  return std::sqrt(sum);
}

}  // namespace effnet::train
