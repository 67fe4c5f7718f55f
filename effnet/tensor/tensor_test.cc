#include "effnet/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "effnet/base/error.h"

namespace effnet::tensor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Raw>
Tensor tensor_of(Dtype dtype, std::vector<Raw> raw) {
  auto owner = std::make_shared<const std::vector<Raw>>(std::move(raw));
  return {dtype, {static_cast<std::int64_t>(owner->size())}, std::as_bytes(std::span(*owner)), owner};
}

TEST(Numel, MultipliesAndRejectsNegativeOrTooLargeShapes) {
  EXPECT_EQ(numel({}), 1);
  EXPECT_EQ(numel({32, 3, 3, 3}), 864);
  EXPECT_EQ(numel({std::int64_t{1} << 40, 0, 7}), 0);
  EXPECT_EQ(numel({std::int64_t{1} << 59}), std::int64_t{1} << 59);
  EXPECT_THROW(numel({(std::int64_t{1} << 59) + 1}), Error);
  EXPECT_THROW(numel({std::int64_t{1} << 30, std::int64_t{1} << 30}), Error);
  EXPECT_THROW(numel({0, std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
  EXPECT_THROW(numel({2, -1}), Error);
}

TEST(ToFloats, ConvertsEveryDtype) {
  EXPECT_THAT(to_floats(make_tensor({3}, {1.5F, -2, 0})), ElementsAre(1.5F, -2, 0));
  EXPECT_THAT(to_floats(tensor_of<std::int64_t>(Dtype::i64, {-3, (std::int64_t{1} << 24) + 1})),
              ElementsAre(-3, 0x1p24F));
  EXPECT_THAT(to_floats(tensor_of<std::int32_t>(Dtype::i32, {-7})), ElementsAre(-7));
  EXPECT_THAT(to_floats(tensor_of<std::int16_t>(Dtype::i16, {-300})), ElementsAre(-300));
  EXPECT_THAT(to_floats(tensor_of<std::int8_t>(Dtype::i8, {-128})), ElementsAre(-128));
  EXPECT_THAT(to_floats(tensor_of<std::uint8_t>(Dtype::u8, {255})), ElementsAre(255));
  EXPECT_THAT(to_floats(tensor_of<std::uint8_t>(Dtype::boolean, {0, 1})), ElementsAre(0, 1));
  // bfloat16 is the upper half of float32: 0x3fc0 is 1.5.
  EXPECT_THAT(to_floats(tensor_of<std::uint16_t>(Dtype::bf16, {0x3fc0, 0xc020})), ElementsAre(1.5F, -2.5F));
}

TEST(ToFloats, DoublesBeyondFloat32BecomeInfinite) {
  constexpr float kMaxFloat = std::numeric_limits<float>::max();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  // 0x1.ffffffp127 is the midpoint between the largest float and 2^128; a tie rounds to the even value, 2^128.
  EXPECT_THAT(to_floats(tensor_of<double>(Dtype::f64, {0.1, 1e300, -1e300, 0x1.fffffe8p127, 0x1.ffffffp127})),
              ElementsAre(0.1F, kInfinity, -kInfinity, kMaxFloat, kInfinity));
  EXPECT_TRUE(std::isnan(to_floats(tensor_of<double>(Dtype::f64, {std::nan("")}))[0]));
}

TEST(ToFloats, HalvesAreExact) {
  // The value of a finite half with sign s, exponent e and fraction f: (-1)^s 2^(e-25) (1024 + f), or (-1)^s 2^-24 f
  // for e = 0 (denormals).
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  const auto floats = to_floats(tensor_of<std::uint16_t>(Dtype::f16, halves));
  for (int i = 0; i < 65536; ++i) {
    const int exponent = (i >> 10) & 31;
    const int fraction = i & 1023;
    const float value = floats[static_cast<std::size_t>(i)];
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), fraction != 0) << i;
      EXPECT_EQ(std::isinf(value), fraction == 0) << i;
      continue;
    }
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(value, i < 32768 ? magnitude : -magnitude) << i;
    ASSERT_EQ(std::signbit(value), i >= 32768) << i;
  }
}

TEST(ToFloats, ReadsUnalignedBytes) {
  const auto owner = std::make_shared<std::vector<std::byte>>(9);
  (*owner)[8] = std::byte{0x40};  // the last byte of 2.0 at offset 5
  const Tensor tensor{Dtype::f32, {1}, std::span(*owner).subspan(5, 4), owner};
  EXPECT_THAT(to_floats(tensor), ElementsAre(2.0F));
}

TEST(Weights, AtSuggestsTheNearestName) {
  Weights weights;
  weights.tensors.emplace("stem.conv.weight", make_tensor({1}, {1}));
  EXPECT_NE(weights.find("stem.conv.weight"), nullptr);
  EXPECT_EQ(weights.find("stem"), nullptr);
  try {
    weights.at("stem.conv.wieght");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), HasSubstr("the nearest name is 'stem.conv.weight'"));
  }
}

TEST(Names, AreThoseOfPyTorch) {
  EXPECT_EQ(name(Dtype::bf16), "bfloat16");
  EXPECT_EQ(name(Dtype::boolean), "bool");
  EXPECT_EQ(to_string(Dims{}), "scalar");
  EXPECT_EQ(to_string(Dims{32, 3, 3, 3}), "32x3x3x3");
}

}  // namespace
}  // namespace effnet::tensor
