#include "effnet/tensor/dtype.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>

#include "effnet/base/error.h"

namespace effnet::tensor {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor bytes are little-endian and read in place");

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
  // A cast of a value beyond float32's range is undefined in C++. Such a value becomes the largest float32 or an
  // infinity, as rounding to nearest requires.
  constexpr double kLimit = std::numeric_limits<float>::max();
  if (value > kLimit || value < -kLimit) {
    constexpr double kRoundsUp = 0x1.ffffffp127;  // halfway between the largest float32 and 2^128
    const bool finite = value < kRoundsUp && value > -kRoundsUp;
    const float magnitude = finite ? std::numeric_limits<float>::max() : std::numeric_limits<float>::infinity();
    return value < 0 ? -magnitude : magnitude;
  }
  return static_cast<float>(value);
}

float boolean_to_float(std::uint8_t value) { return value != 0 ? 1.0F : 0.0F; }

template <class Raw>
float cast(Raw value) {
  return static_cast<float>(value);
}

template <class Raw, float (*kConvert)(Raw)>
void convert(std::span<const std::byte> from, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    Raw raw;
    std::memcpy(&raw, from.data() + i * sizeof(Raw), sizeof(Raw));
    to[i] = kConvert(raw);
  }
}

void copy(std::span<const std::byte> from, std::span<float> to) {
  if (!to.empty()) std::memcpy(to.data(), from.data(), to.size_bytes());
}

// clang-format off
constexpr DtypeInfo kDtypes[] = {
    {Dtype::f64, 8, true, "F64", "torch.float64", "torch.DoubleStorage", "<f8", convert<double, double_to_float>},
    {Dtype::i64, 8, false, "I64", "torch.int64", "torch.LongStorage", "<i8", convert<std::int64_t, cast>},
    {Dtype::f32, 4, true, "F32", "torch.float32", "torch.FloatStorage", "<f4", copy},
    {Dtype::i32, 4, false, "I32", "torch.int32", "torch.IntStorage", "<i4", convert<std::int32_t, cast>},
    {Dtype::f16, 2, true, "F16", "torch.float16", "torch.HalfStorage", "<f2", convert<std::uint16_t, half_to_float>},
    {Dtype::bf16, 2, true, "BF16", "torch.bfloat16", "torch.BFloat16Storage", "", convert<std::uint16_t, bfloat_to_float>},
    {Dtype::i16, 2, false, "I16", "torch.int16", "torch.ShortStorage", "<i2", convert<std::int16_t, cast>},
    {Dtype::i8, 1, false, "I8", "torch.int8", "torch.CharStorage", "|i1", convert<std::int8_t, cast>},
    {Dtype::u8, 1, false, "U8", "torch.uint8", "torch.ByteStorage", "|u1", convert<std::uint8_t, cast>},
    {Dtype::boolean, 1, false, "BOOL", "torch.bool", "torch.BoolStorage", "|b1", convert<std::uint8_t, boolean_to_float>},
};
// clang-format on

}  // namespace

std::span<const DtypeInfo> dtypes() { return kDtypes; }

const DtypeInfo& info(Dtype dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  EFFNET_CHECK(index < std::size(kDtypes) && kDtypes[index].dtype == dtype);
  return kDtypes[index];
}

std::optional<Dtype> find_dtype(std::string_view DtypeInfo::*column, std::string_view text) {
  const auto* const found = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                         [&](const DtypeInfo& candidate) { return candidate.*column == text; });
  return found == std::end(kDtypes) || text.empty() ? std::nullopt : std::optional(found->dtype);
}

std::size_t size_bytes(Dtype dtype) { return info(dtype).bytes; }

std::string_view name(Dtype dtype) { return info(dtype).torch.substr(std::string_view("torch.").size()); }

}  // namespace effnet::tensor
