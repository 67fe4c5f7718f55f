#include <fmt/format.h>

#include <array>

#include "effnet/kernels/kernels.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels {
namespace {

// Whether the tables have a specialised kernel for this window.
bool known_window(std::int64_t kernel, std::int64_t stride) {
  return (kernel == 3 || kernel == 5 || kernel == 7) && (stride == 1 || stride == 2);
}

constexpr std::array<std::string_view, kEpilogues> kEpilogueNames{"clamp", "silu", "hard_swish"};

}  // namespace

std::string_view name(Epilogue epilogue) { return kEpilogueNames[static_cast<std::size_t>(epilogue)]; }

std::size_t KernelSet::first_height(std::int64_t lanes) const { return lanes > 8 ? wide_heights : 0; }
std::int64_t KernelSet::tallest() const { return heights[wide_heights]; }

GemmFn KernelSet::gemm(std::size_t p, std::int64_t lanes, Epilogue epilogue) const {
  const auto width = static_cast<std::size_t>(lanes / 8 - 1);
  const auto widths = static_cast<std::size_t>(tile / 8);
  return gemms[(p * widths + width) * kEpilogues + static_cast<std::size_t>(epilogue)];
}

DepthwiseFn KernelSet::depthwise(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const {
  if (!known_window(kernel, stride)) return nullptr;
  const auto row = static_cast<std::size_t>((kernel - 3) + (stride - 1));
  return depthwises[(row * 2 + (half ? 1 : 0)) * kEpilogues + static_cast<std::size_t>(epilogue)];
}

DepthwisePairFn KernelSet::depthwise_pair(std::int64_t kernel, std::int64_t stride, bool half,
                                          Epilogue epilogue) const {
  if ((kernel != 3 && kernel != 5) || stride != 1 || depthwise_pairs.empty()) return nullptr;
  const auto row = static_cast<std::size_t>(kernel / 5);
  return depthwise_pairs[(row * 2 + (half ? 1 : 0)) * kEpilogues + static_cast<std::size_t>(epilogue)];
}

std::string gemm_name(const KernelSet& set, std::size_t p, std::int64_t lanes, Epilogue epilogue) {
  return kernel_name(set.target, fmt::format("gemm_{}x{}_{}", set.heights[p], lanes, name(epilogue)));
}

std::string depthwise_name(const KernelSet& set, std::int64_t kernel, std::int64_t stride, bool half,
                           Epilogue epilogue) {
  return kernel_name(set.target, fmt::format("depthwise_k{}s{}x{}_{}", kernel, stride, half ? 8 : 16, name(epilogue)));
}

std::string depthwise_pair_name(const KernelSet& set, std::int64_t kernel, bool half, Epilogue epilogue) {
  return kernel_name(set.target, fmt::format("depthwise_pair_k{}s1x{}_{}", kernel, half ? 8 : 16, name(epilogue)));
}

DepthwiseWeightFn TrainingSet::depthwise_weight(std::int64_t kernel, std::int64_t stride) const {
  return known_window(kernel, stride) ? depthwise_weights[kernel / 2 - 1][stride - 1] : nullptr;
}

DepthwiseDataGradientFn TrainingSet::depthwise_data_gradient(std::int64_t kernel) const {
  return known_window(kernel, 2) ? depthwise_data_gradients[kernel / 2 - 1] : nullptr;
}

}  // namespace effnet::kernels
