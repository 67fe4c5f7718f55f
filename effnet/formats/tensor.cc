#include "effnet/formats/tensor.h"

#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"

namespace effnet::formats {
namespace {

constexpr NameTable<Dtype, 10> kNames{{{Dtype::f64, "float64"},
                                       {Dtype::f32, "float32"},
                                       {Dtype::f16, "float16"},
                                       {Dtype::bf16, "bfloat16"},
                                       {Dtype::i64, "int64"},
                                       {Dtype::i32, "int32"},
                                       {Dtype::i16, "int16"},
                                       {Dtype::i8, "int8"},
                                       {Dtype::u8, "uint8"},
                                       {Dtype::boolean, "bool"}}};

// IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Every value is exact in float32.
float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = (half >> 10) & 31U;
  const std::uint32_t fraction = half & 1023U;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));  // infinity, NaN
  if (exponent > 0) return std::bit_cast<float>(sign | ((exponent + 127 - 15) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;  // zero and denormals
  return sign != 0 ? -magnitude : magnitude;
}

float bfloat_to_float(std::uint16_t upper) { return std::bit_cast<float>(std::uint32_t{upper} << 16); }

float double_to_float(double value) {
  // A finite value beyond float32 becomes an infinity; the plain cast of it would be undefined in C++.
  constexpr double kLimit = std::numeric_limits<float>::max();
  if (value > kLimit || value < -kLimit) {
    constexpr double kRoundsUp = 0x1.ffffffp127;  // halfway between the largest float32 and 2^128
    const bool stays = value < kRoundsUp && value > -kRoundsUp;
    const float most = stays ? std::numeric_limits<float>::max() : std::numeric_limits<float>::infinity();
    return value < 0 ? -most : most;
  }
  return static_cast<float>(value);
}

template <class Raw, class Convert>
void convert_all(std::span<const std::byte> bytes, std::vector<float>& values, Convert convert) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    Raw raw;
    std::memcpy(&raw, bytes.data() + i * sizeof(Raw), sizeof(Raw));  // bytes may be unaligned
    values[i] = convert(raw);
  }
}

template <class Raw>
float cast(Raw raw) {
  return static_cast<float>(raw);
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "tensor bytes are little-endian and read in place");

std::size_t size_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::i64:
      return 8;
    case Dtype::f32:
    case Dtype::i32:
      return 4;
    case Dtype::f16:
    case Dtype::bf16:
    case Dtype::i16:
      return 2;
    case Dtype::i8:
    case Dtype::u8:
    case Dtype::boolean:
      return 1;
  }
  throw internal_error("no such dtype (got {})", static_cast<int>(dtype));
}

std::string_view name(Dtype dtype) { return name_in(kNames, dtype); }

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
  constexpr std::int64_t kMost = std::int64_t{1} << 59;  // times 8 bytes is 2^62
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) throw input_error("negative dimension (got {}, expected 0 or more)", to_string(dims));
    if (dim == 0) {
      empty = true;
    } else if (dim > kMost / product) {
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
  if (count == 0) return values;
  switch (tensor.dtype) {
    case Dtype::f64:
      convert_all<double>(tensor.bytes, values, double_to_float);
      break;
    case Dtype::f32:
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      break;
    case Dtype::f16:
      convert_all<std::uint16_t>(tensor.bytes, values, half_to_float);
      break;
    case Dtype::bf16:
      convert_all<std::uint16_t>(tensor.bytes, values, bfloat_to_float);
      break;
    case Dtype::i64:
      convert_all<std::int64_t>(tensor.bytes, values, cast<std::int64_t>);
      break;
    case Dtype::i32:
      convert_all<std::int32_t>(tensor.bytes, values, cast<std::int32_t>);
      break;
    case Dtype::i16:
      convert_all<std::int16_t>(tensor.bytes, values, cast<std::int16_t>);
      break;
    case Dtype::i8:
      convert_all<std::int8_t>(tensor.bytes, values, cast<std::int8_t>);
      break;
    case Dtype::u8:
      convert_all<std::uint8_t>(tensor.bytes, values, cast<std::uint8_t>);
      break;
    case Dtype::boolean:
      convert_all<std::uint8_t>(tensor.bytes, values, [](std::uint8_t raw) { return raw != 0 ? 1.0F : 0.0F; });
      break;
  }
  return values;
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
  throw input_error("no tensor {} among {}{}", in_quotes(tensor_name), tensors.size(),
                    similar ? fmt::format(" (the nearest name is {})", in_quotes(*similar)) : std::string());
}

}  // namespace effnet::formats
