#include "effnet/train/step/device.h"

#include <torch/cuda.h>
#include <torch/version.h>

#include <charconv>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::train {

std::string device_text(const std::string& device, const std::string& isa) {
  return isa.empty() ? device : fmt::format("{} ({})", device, isa);
}

torch::Device device_named(const std::string& name, int local_rank) {
  const bool has_gpu = torch::cuda::is_available();
  if (name == "cpu" || (name == "auto" && !has_gpu)) return torch::Device(torch::kCPU);
  if (name != "auto" && name != "cuda" && !name.starts_with("cuda:"))
    throw usage_error("--device: unknown device (got {}, expected auto, cpu, cuda or cuda:N)", in_quotes(name));
  if (!has_gpu)
    throw environment_error("LibTorch {} finds no GPU (got --device {}, expected cpu)", TORCH_VERSION, in_quotes(name))
        .with_hint("--device cpu trains on the CPU; training on a GPU needs a LibTorch built with CUDA");
  const auto count = static_cast<int>(torch::cuda::device_count());
  int index = local_rank;
  if (name.starts_with("cuda:")) {
    const char* end = name.data() + name.size();
    const auto [stop, code] = std::from_chars(name.data() + 5, end, index);
    if (code != std::errc{} || stop != end || index < 0)
      throw usage_error("--device: unknown device (got {}, expected auto, cpu, cuda or cuda:N)", in_quotes(name));
  }
  if (index >= count) {
    throw environment_error("GPU number out of range (got {}, expected 0 to {})", index, count - 1);
  }
  return torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(index));
}

}  // namespace effnet::train
