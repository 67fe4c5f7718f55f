// The key of a kernel table: an instruction set, and the precision of the numbers that the kernels multiply.
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
// Returns the name of a kernel in plans and benchmarks: "f32_global_pool_avx512" for the operation `what` =
// "global_pool".
std::string kernel_name(const Target& target, std::string_view what);

}  // namespace effnet::kernels
