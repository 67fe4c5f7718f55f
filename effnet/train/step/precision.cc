#include "effnet/train/step/precision.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

// LibTorch 2.4 introduced autocast functions for all devices and deprecated those for one device.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
void set_autocast(bool cuda, bool on, at::ScalarType type) {
  const at::DeviceType device = cuda ? at::kCUDA : at::kCPU;
  if (on) at::autocast::set_autocast_dtype(device, type);
  at::autocast::set_autocast_enabled(device, on);
}
#else
void set_autocast(bool cuda, bool on, at::ScalarType type) {
  if (on) cuda ? at::autocast::set_autocast_gpu_dtype(type) : at::autocast::set_autocast_cpu_dtype(type);
  cuda ? at::autocast::set_enabled(on) : at::autocast::set_cpu_enabled(on);
}
#endif

}  // namespace

Precision precision_on(torch::Device device, Precision precision) {
  if (precision != Precision::fp16 || device.is_cuda()) return precision;
  throw environment_error("training in fp16 needs a GPU (got {})", device.str())
      .with_hint("use --set train.precision=fp32 or --set train.precision=bf16");
}

bool has_bf16_instructions(std::istream& cpuinfo) {
  constexpr std::array<std::string_view, 3> kFlags{"avx512_bf16", "amx_bf16", "bf16"};  // x86, x86, 64-bit ARM
  std::string line;
  while (std::getline(cpuinfo, line)) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (std::find(kFlags.begin(), kFlags.end(), word) != kFlags.end()) return true;
  }
  return false;
}

std::string slow_precision(Precision precision, torch::Device device) {
  if (precision != Precision::bf16 || !device.is_cpu()) return {};
  std::ifstream cpuinfo("/proc/cpuinfo");
  if (has_bf16_instructions(cpuinfo)) return {};
  return "warning: this CPU has no instructions for bf16 (expected avx512_bf16, amx_bf16, or ARM's bf16): a step may "
         "take 20 times as long as in fp32; --set train.precision=fp32 is faster";
}

Autocast::Autocast(Precision precision, torch::Device device)
    : on_(precision != Precision::fp32), cuda_(device.is_cuda()) {
  if (!on_) return;
  at::autocast::increment_nesting();
  set_autocast(cuda_, true, precision == Precision::bf16 ? at::kBFloat16 : at::kHalf);
}

Autocast::~Autocast() {
  if (!on_) return;
  set_autocast(cuda_, false, at::kBFloat16);
  // Autocast caches the converted weights. The next step has new weights, so the cache is cleared.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
}

}  // namespace effnet::train
