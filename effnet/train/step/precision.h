// Mixed precision: LibTorch's autocast for a scope, and the loss scale that float16's gradients need.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <iosfwd>
#include <string>

#include "effnet/train/recipe/choices.h"

namespace effnet::train {

// The same. Throws Error(environment) for a precision that the device lacks (fp16 on a CPU).
Precision precision_on(torch::Device device, Precision precision);

// What to tell where the precision is slower than fp32 on this machine; empty where it is not.
std::string slow_precision(Precision precision, torch::Device device);
// Of /proc/cpuinfo: whether the processor has instructions for bfloat16.
bool has_bf16_instructions(std::istream& cpuinfo);

// While it lives, LibTorch's operations on `device` choose the lower precision where that is safe. Nothing for fp32.
class Autocast {
 public:
  Autocast(Precision precision, torch::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_, cuda_;
};

// Dynamic loss scaling (Micikevicius et al. 2018, section 3.2): doubled after 2000 good steps, halved after one whose
// gradients overflowed. A power of two, so that scaling rounds nothing.
struct LossScale {
  double scale = 65536;
  std::int64_t good_steps = 0;

  void good() {
    if (++good_steps < 2000) return;
    good_steps = 0;
    if (scale < 0x1p24) scale *= 2;
  }
  // False once the scale is spent: then it is not the scale that overflows.
  bool overflowed() {
    good_steps = 0;
    scale /= 2;
    return scale >= 1;
  }
};

}  // namespace effnet::train
