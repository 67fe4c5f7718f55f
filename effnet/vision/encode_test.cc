#include "effnet/vision/encode.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"

namespace effnet::vision {
namespace {

// A smooth image, for which JPEG's loss is small.
Image ramp(Size size) {
  Image image = blank(size);
  for (std::int64_t y = 0; y < size.h; ++y) {
    for (std::int64_t x = 0; x < size.w; ++x) {
      std::uint8_t* p = image.rgb.data() + 3 * (y * size.w + x);
      p[0] = static_cast<std::uint8_t>(255 * x / size.w);
      p[1] = static_cast<std::uint8_t>(255 * y / size.h);
      p[2] = static_cast<std::uint8_t>(128);
    }
  }
  return image;
}

double mean_difference(const Image& a, const Image& b) {
  EFFNET_CHECK(a.rgb.size() == b.rgb.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(int{a.rgb[i]} - int{b.rgb[i]});
  return sum / static_cast<double>(a.rgb.size());
}

TEST(EncodeJpeg, DecodesToASimilarImage) {
  for (const Size size : {Size{64, 96}, Size{17, 23}, Size{1, 1}, Size{1, 50}}) {
    const Image image = ramp(size);
    const std::vector<std::byte> file = encode_jpeg(image, 90);
    ASSERT_GE(file.size(), 4U);
    EXPECT_EQ(file[0], std::byte{0xFF});
    EXPECT_EQ(file[1], std::byte{0xD8});
    const Image back = decode(file);
    ASSERT_EQ(back.h, size.h);
    ASSERT_EQ(back.w, size.w);
    // The bound is two quantisation steps: at quality 90 a step is 3 for the lowest frequencies. A misplaced row or
    // channel would give a difference of some tens.
    EXPECT_LT(mean_difference(back, image), 6);
  }
  const Image large = ramp({200, 200});
  EXPECT_LT(encode_jpeg(large, 30).size(), encode_jpeg(large, 95).size());
}

TEST(EncodeWebp, DecodesToASimilarImage) {
  for (const Size size : {Size{64, 96}, Size{17, 23}, Size{1, 1}}) {
    const Image image = ramp(size);
    const Image back = decode(encode_webp(image, 90));
    ASSERT_EQ(back.h, size.h);
    ASSERT_EQ(back.w, size.w);
    EXPECT_LT(mean_difference(back, image), 6);
  }
  EXPECT_THROW(encode_webp(Image{}, 80), Error);
  EXPECT_THROW(encode_webp(blank({1, 16384}), 80), Error);
}

TEST(EncodeJpeg, RejectsEmptyAndTooLargeImages) {
  EXPECT_THROW(encode_jpeg(Image{}, 80), Error);
  EXPECT_THROW(encode_jpeg(blank({1, 65501}), 80), Error);
}

TEST(Fitted, HasTheLongerSideAndAtLeastOnePixel) {
  EXPECT_EQ(fitted({480, 960}, 240), (Size{120, 240}));
  EXPECT_EQ(fitted({3, 2}, 10), (Size{10, 7})) << "rounded to the nearest, 6.67";
  EXPECT_EQ(fitted({1, 1}, 240), (Size{240, 240}));
  EXPECT_EQ(fitted({1, 5000}, 240), (Size{1, 240}));
}

TEST(Thumbnail, FitsAndKeepsTheAspectRatio) {
  const auto size = [](Size from) {
    const Image small = thumbnail(ramp(from), 128);
    return Size{small.h, small.w};
  };
  EXPECT_EQ(size({375, 500}), (Size{96, 128}));
  EXPECT_EQ(size({500, 375}), (Size{128, 96}));
  EXPECT_EQ(size({128, 10}), (Size{128, 10}));
  EXPECT_EQ(size({32, 32}), (Size{32, 32}));
  EXPECT_EQ(size({1, 3000}), (Size{1, 128}));
  // A thumbnail of a ramp is a ramp.
  EXPECT_LT(mean_difference(thumbnail(ramp({512, 512}), 128), ramp({128, 128})), 3);
}

}  // namespace
}  // namespace effnet::vision
