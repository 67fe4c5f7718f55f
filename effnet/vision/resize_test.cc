#include "effnet/vision/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/vision/golden_files.h"

namespace effnet::vision {
namespace {

constexpr Filter kPillowFilters[] = {Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos};
constexpr Filter kTfFilters[] = {Filter::tf_bilinear, Filter::tf_bicubic};

Image grey(Size size, const std::vector<int>& values) {
  Image image = blank(size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = static_cast<std::uint8_t>(values[i]);
  }
  return image;
}

TEST(Resize, EqualsPillow) {
  const Image source = golden::source();
  for (auto& line : golden::table("resize.tsv")) {
    SCOPED_TRACE(line.str());
    std::string filter, hash;
    Size size;
    Box box;
    line >> filter >> size.w >> size.h >> box.x0 >> box.y0 >> box.x1 >> box.y1 >> hash;
    ASSERT_TRUE(line);
    EXPECT_EQ(golden::hash(resize(source, size, filter_named(filter), box)), hash);
    if (box.x0 == 0 && box.y0 == 0 && box.x1 == 23 && box.y1 == 17) {
      EXPECT_EQ(golden::hash(resize(source, size, filter_named(filter))), hash);
    }
  }
}

// Computed by hand: two pixels become their mean, with halves rounded up; one pixel becomes nine equal pixels.
TEST(Resize, EqualsHandComputedValues) {
  for (const Filter filter : kPillowFilters) {
    EXPECT_EQ(resize(grey({1, 2}, {10, 21}), {1, 1}, filter), grey({1, 1}, {16})) << name(filter);
    EXPECT_EQ(resize(grey({1, 1}, {77}), {3, 3}, filter), grey({3, 3}, std::vector<int>(9, 77))) << name(filter);
    EXPECT_EQ(resize(grey({5, 4}, std::vector<int>(20, 255)), {3, 9}, filter), grey({3, 9}, std::vector<int>(27, 255)));
  }
}

// A window equals the same part of the whole result. The sizes need both passes, or one of them, or none.
TEST(Resize, WindowIsPartOfTheWhole) {
  const Image source = golden::source();
  for (const Filter filter : kPillowFilters) {
    for (const Size to : {Size{9, 11}, Size{40, 31}, Size{17, 23}, Size{17, 10}, Size{8, 23}, Size{1, 30}}) {
      for (const bool boxed : {false, true}) {
        const std::optional<Box> box = boxed ? std::optional<Box>({1.5, 2, 20, 16.25}) : std::nullopt;
        const Image whole = resize(source, to, filter, box);
        const std::int64_t top = to.h / 3, left = to.w / 4;
        const Size part{(to.h - top + 1) / 2, (to.w - left + 1) / 2};
        EXPECT_EQ(resize(source, to, filter, box, Window{top, left, part}), crop(whole, top, left, part))
            << name(filter) << " " << to.h << "x" << to.w << " boxed " << boxed;
      }
    }
  }
}

// Only 3 x 2 pixels of 16 billion are computed.
TEST(Resize, WindowOfAHugeResultIsComputedAlone) {
  const Image line = grey({100000, 1}, {1, 2, 3});
  const Image part = resize(line, {40000000, 400}, Filter::bicubic, {}, Window{20000000, 200, {3, 2}});
  EXPECT_EQ(part.h, 3);
  EXPECT_EQ(resize_tf(line, {40000000, 400}, Filter::tf_bicubic, Window{20000000, 200, {3, 2}}).w, 2);
}

TEST(Resize, RejectsInvalidBoxesSizesAndWindows) {
  const Image source = golden::source();
  const Size to{4, 4};
  for (const Box box : {Box{-1, 0, 5, 5}, Box{0, -0.5, 5, 5}, Box{0, 0, 23.5, 5}, Box{0, 0, 5, 18}, Box{5, 5, 5, 6},
                        Box{6, 5, 5, 6}, Box{NAN, 0, 5, 5}, Box{0, 0, 5, INFINITY}}) {
    EXPECT_THROW(resize(source, to, Filter::box, box), Error);
  }
  EXPECT_THROW(resize(source, {0, 4}, Filter::box), Error);
  EXPECT_THROW(resize(source, to, Filter::box, {}, Window{1, 0, {4, 4}}), Error);
  EXPECT_THROW(resize_tf(source, to, Filter::tf_bilinear, Window{0, -1, {1, 1}}), Error);
  EXPECT_THROW(resize_tf(source, {4, 0}, Filter::tf_bilinear), Error);
}

// The golden file and the code use the same float32 positions, so only rounding of weights and sums makes a difference.
// The absolute weights add up to at most 1.4 per axis, so values are at most 255 * 1.4 * 1.4 = 500. At most 16
// roundings change a value, each by at most 2^-24 of it.
TEST(ResizeTf, EqualsDoubleArithmetic) {
  constexpr float kTolerance = 500 * 16 * 0x1p-24F;
  const Image source = golden::source();
  const std::vector<std::byte> data = golden::bytes("tf.f32");
  std::size_t at = 0;
  for (auto& line : golden::table("tf.tsv")) {
    SCOPED_TRACE(line.str());
    std::string filter;
    Size size;
    line >> filter >> size.w >> size.h;
    const FloatImage result = resize_tf(source, size, filter_named(filter));
    ASSERT_EQ(result.rgb.size(), static_cast<std::size_t>(3 * size.h * size.w));
    for (std::size_t i = 0; i < result.rgb.size(); ++i, at += sizeof(float)) {
      float golden = 0;
      ASSERT_LE(at + sizeof(float), data.size());
      std::memcpy(&golden, data.data() + at, sizeof(float));
      ASSERT_NEAR(result.rgb[i], golden, kTolerance) << "value " << i;
    }
  }
  EXPECT_EQ(at, data.size());
}

// Computed by hand. Without a half-pixel shift the four outputs have the positions 0, 0.5, 1 and 1.5. The input's last
// column is repeated. The cubic weights for the fraction 0.5 are -0.09375, 0.59375, 0.59375, -0.09375.
TEST(ResizeTf, EqualsHandComputedValues) {
  const Image step = grey({1, 2}, {0, 100});
  const auto first = [](const FloatImage& image, std::size_t i) { return image.rgb[3 * i]; };
  const FloatImage linear = resize_tf(step, {1, 4}, Filter::tf_bilinear);
  const float kLinear[] = {0, 50, 100, 100};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(first(linear, i), kLinear[i]) << i;
  const FloatImage cubic = resize_tf(step, {1, 4}, Filter::tf_bicubic);
  const float kCubic[] = {0, 50, 100, 109.375F};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(first(cubic, i), kCubic[i]) << i;
  EXPECT_EQ(rounded(cubic), grey({1, 4}, {0, 50, 100, 109}));
}

TEST(ResizeTf, WindowIsPartOfTheWhole) {
  const Image source = golden::source();
  for (const Filter filter : kTfFilters) {
    for (const Size to : {Size{9, 11}, Size{40, 31}, Size{17, 23}}) {
      const FloatImage whole = resize_tf(source, to, filter);
      const FloatImage part = resize_tf(source, to, filter, Window{2, 3, {5, 4}});
      for (std::int64_t y = 0; y < 5; ++y) {
        for (std::int64_t i = 0; i < 12; ++i) {
          EXPECT_EQ(part.rgb[static_cast<std::size_t>(12 * y + i)],
                    whole.rgb[static_cast<std::size_t>(3 * ((y + 2) * to.w + 3) + i)]);
        }
      }
    }
  }
}

TEST(Rounded, ClampsAndRoundsToNearest) {
  const FloatImage image{1, 2, {-3.2F, 0.4F, 0.6F, 254.6F, 255.4F, 300}};
  EXPECT_EQ(rounded(image).rgb, (std::vector<std::uint8_t>{0, 0, 1, 255, 255, 255}));
}

}  // namespace
}  // namespace effnet::vision
