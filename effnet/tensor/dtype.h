// The data types of tensors: one table of what each is called elsewhere. A new data type is a new row of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "effnet/base/export.h"

namespace effnet::tensor {

enum class Dtype : std::uint8_t { f64, i64, f32, i32, f16, bf16, i16, i8, u8, boolean };

struct DtypeInfo {
  Dtype dtype;
  std::size_t bytes;  // of an element
  bool floating;
  std::string_view safetensors;  // "F32"
  std::string_view torch;        // "torch.float32"
  std::string_view storage;      // the class of PyTorch's storages: "torch.FloatStorage"
  std::string_view numpy;        // "<f4"; empty where NumPy has none
  // All elements of `from`, which may lie at any address, as float32: exact, or rounded to nearest; what is too large
  // becomes an infinity.
  void (*to_floats)(std::span<const std::byte> from, std::span<float> to);
};
std::span<const DtypeInfo> dtypes();  // in the order of Dtype
const DtypeInfo& info(Dtype dtype);
// The data type with this entry in a column: find_dtype(&DtypeInfo::safetensors, "F32"). Empty if there is none.
std::optional<Dtype> find_dtype(std::string_view DtypeInfo::*column, std::string_view text);

EFFNET_API std::size_t size_bytes(Dtype dtype);
EFFNET_API std::string_view name(Dtype dtype);  // "float32", ... as PyTorch says it

}  // namespace effnet::tensor
