// Mixed precision: LibTorch's autocast for a scope, and the loss scale that float16 gradients need.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <iosfwd>
#include <string>

#include "effnet/train/recipe/choices.h"

namespace effnet::train {

// Returns `precision`. Throws Error(environment) if the device does not support it (fp16 on a CPU).
Precision precision_on(torch::Device device, Precision precision);

// Returns a warning if `precision` is slower than fp32 on this machine; else an empty text.
std::string slow_precision(Precision precision, torch::Device device);
// Whether the CPU has instructions for bfloat16; `cpuinfo` has the format of /proc/cpuinfo.
bool has_bf16_instructions(std::istream& cpuinfo);

// While this object exists, LibTorch's operations on `device` use the lower precision where that is safe. With fp32 it
// does nothing.
class Autocast {
 public:
  Autocast(Precision precision, torch::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_, cuda_;
};

// Dynamic loss scaling (Micikevicius et al. 2018, section 3.2). The scale is doubled after 2000 steps without overflow
// and halved after a step with overflowing gradients. It is a power of two, so that scaling causes no rounding.
struct LossScale {
  double scale = 65536;
  std::int64_t good_steps = 0;

  void good() {
    if (++good_steps < 2000) return;
    good_steps = 0;
    if (scale < 0x1p24) scale *= 2;
  }
  // Returns false if the scale falls below 1: then the overflow is not caused by the scale.
  bool overflowed() {
    good_steps = 0;
    scale /= 2;
    return scale >= 1;
  }
};

}  // namespace effnet::train
