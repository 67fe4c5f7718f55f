// What a table of kernels is found by: an instruction set, and the precision of what is multiplied.
#pragma once

#include <string>
#include <string_view>

#include "effnet/base/export.h"
#include "effnet/kernels/isa.h"

namespace effnet::kernels {

enum class Precision { fp32 };
EFFNET_API std::string_view name(Precision precision);  // "fp32"

struct Target {
  Isa isa;
  Precision precision = Precision::fp32;
  friend bool operator==(const Target&, const Target&) = default;
};
EFFNET_API std::string name(const Target& target);  // "avx512_fp32"
// "f32_global_pool_avx512": the name that plans and benchmarks give to what runs `what` on this target.
std::string kernel_name(const Target& target, std::string_view what);

}  // namespace effnet::kernels
