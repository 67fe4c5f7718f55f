#include "effnet/tensor/tensor.h"

#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::tensor {
std::string to_string(const Dims& dims) {
  if (dims.empty()) return "scalar";
  std::string text;
  for (const std::int64_t dim : dims) {
    if (!text.empty()) text += 'x';
    text += std::to_string(dim);
  }
  return text;
}

std::int64_t numel(const Dims& dims) {
  constexpr std::int64_t kMaxElements = std::int64_t{1} << 59;  // 2^62 bytes with 8 bytes per element
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0)
      throw input_error("negative dimension (got the shape {}, expected dimensions of 0 or more)", to_string(dims));
    if (dim == 0) {
      empty = true;
    } else if (dim > kMaxElements / product) {
      throw input_error("shape too large (got {}, expected at most 2^59 elements)", to_string(dims));
    } else {
      product *= dim;
    }
  }
  return empty ? 0 : product;
}

Tensor make_tensor(const Dims& dims, std::vector<float> values) {
  EFFNET_CHECK(numel(dims) == static_cast<std::int64_t>(values.size()));
  auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return {Dtype::f32, dims, std::as_bytes(std::span(*owner)), owner};
}

std::vector<float> to_floats(const Tensor& tensor) {
  const auto count = static_cast<std::size_t>(numel(tensor.dims));
  EFFNET_CHECK(tensor.bytes.size() == count * size_bytes(tensor.dtype));
  std::vector<float> values(count);
  info(tensor.dtype).to_floats(tensor.bytes, values);
  return values;
}

FloatValues float_values(const Tensor& tensor) {
  if (tensor.dtype == Dtype::f32 && reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignof(float) == 0) {
    const auto* first = reinterpret_cast<const float*>(tensor.bytes.data());
    return {{first, tensor.bytes.size() / sizeof(float)}, tensor.owner};
  }
  const auto converted = std::make_shared<const std::vector<float>>(to_floats(tensor));
  return {*converted, converted};
}

const Tensor* Weights::find(std::string_view tensor_name) const {
  const auto found = tensors.find(tensor_name);
  return found == tensors.end() ? nullptr : &found->second;
}

const Tensor& Weights::at(std::string_view tensor_name) const {
  if (const Tensor* tensor = find(tensor_name)) return *tensor;
  if (const auto why = unreadable.find(tensor_name); why != unreadable.end()) {
    throw input_error("tensor {}: {}", in_quotes(tensor_name), why->second);
  }
  std::vector<std::string> known;
  for (const auto& [key, tensor] : tensors) known.push_back(key);
  const auto similar = nearest(tensor_name, known);
  throw input_error("tensor {} is missing; the file has {} tensors{}", in_quotes(tensor_name), tensors.size(),
                    similar ? fmt::format(" (the nearest name is {})", in_quotes(*similar)) : std::string());
}

}  // namespace effnet::tensor
