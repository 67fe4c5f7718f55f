// Named tensors as in a file: a dtype, a shape, and row-major bytes in a mapped file or a buffer. All readers of weight
// files return Weights, and all writers take Weights. Weights do not depend on a network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/tensor/dtype.h"

namespace effnet::tensor {

using Dims = std::vector<std::int64_t>;  // row-major, outermost first; empty for a scalar

EFFNET_API std::string to_string(const Dims& dims);  // "32x3x3x3", "scalar"
// Product of the dimensions. Throws Error(input) if one is negative or the product times 8 exceeds 2^62.
EFFNET_API std::int64_t numel(const Dims& dims);

struct Tensor {
  Dtype dtype = Dtype::f32;
  Dims dims;
  std::span<const std::byte> bytes;   // numel * size_bytes(dtype), little-endian, not necessarily aligned
  std::shared_ptr<const void> owner;  // keeps `bytes` alive; a copy of a Tensor shares its bytes
};

EFFNET_API Tensor make_tensor(const Dims& dims, std::vector<float> values);  // owns `values`
// The values as float32, from any dtype; f64, i64 and i32 values that float32 cannot represent are rounded.
EFFNET_API std::vector<float> to_floats(const Tensor& tensor);
// Like to_floats(), but without a copy if the tensor is float32 and aligned.
struct FloatValues {
  std::span<const float> values;
  std::shared_ptr<const void> owner;  // keeps `values` alive: the tensor's owner, or the converted copy
};
FloatValues float_values(const Tensor& tensor);

// Tensors by name, and the file's text metadata (safetensors: __metadata__).
struct Weights {
  std::map<std::string, Tensor, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
  std::map<std::string, std::string, std::less<>> unreadable;  // tensors that Tensor cannot represent, with the reason

  EFFNET_API const Tensor* find(std::string_view tensor_name) const;  // null if absent
  EFFNET_API const Tensor& at(std::string_view tensor_name) const;    // Error(input) if absent
};

}  // namespace effnet::tensor
