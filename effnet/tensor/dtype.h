// The data types of tensors: one table with their names in the file formats. A new data type is a new row.
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
  std::size_t bytes;  // per element
  bool floating;
  std::string_view safetensors;  // "F32"
  std::string_view torch;        // "torch.float32"
  std::string_view storage;      // PyTorch's storage class: "torch.FloatStorage"
  std::string_view numpy;        // "<f4"; empty if NumPy has no such type
  // Converts all elements of `from` to float32. Values that float32 cannot represent are rounded to nearest; values
  // that are too large become infinite. `from` need not be aligned.
  void (*to_floats)(std::span<const std::byte> from, std::span<float> to);
};
std::span<const DtypeInfo> dtypes();  // in the order of Dtype
const DtypeInfo& info(Dtype dtype);
// The data type whose name in the given column is `text`: find_dtype(&DtypeInfo::safetensors, "F32"). Empty if there is
// none.
std::optional<Dtype> find_dtype(std::string_view DtypeInfo::*column, std::string_view text);

EFFNET_API std::size_t size_bytes(Dtype dtype);
EFFNET_API std::string_view name(Dtype dtype);  // PyTorch's name without "torch.": "float32", ...

}  // namespace effnet::tensor
