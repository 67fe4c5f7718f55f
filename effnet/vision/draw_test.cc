#include "effnet/vision/draw.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/golden_files.h"

namespace effnet::vision {
namespace {

struct Pixel {
  int r, g, b;
  friend bool operator==(const Pixel&, const Pixel&) = default;
};
Pixel at(const Image& image, std::int64_t y, std::int64_t x) {
  const auto* p = image.rgb.data() + 3 * (y * image.w + x);
  return {p[0], p[1], p[2]};
}

Image grey(Size size, std::uint8_t value) {
  Image image = blank(size);
  std::fill(image.rgb.begin(), image.rgb.end(), value);
  return image;
}

TEST(EncodePng, DecodesToTheSameImage) {
  const Image source = golden::source();
  for (const Size size : {Size{17, 23}, Size{1, 1}, Size{1, 23}, Size{13, 1}}) {
    const Image part = crop(source, 0, 0, size);
    EXPECT_EQ(decode(encode_png(part)), part);
  }
  EXPECT_THROW(encode_png(Image{}), Error);
}

TEST(OverlayHeat, HighestValueIsRedLowestIsBlue) {
  const std::vector<float> map{-5, 3, -5, 3};
  const Image result = overlay_heat(grey({40, 40}, 128), {0, 0, 40, 40}, map, {2, 2});
  const Pixel cold = at(result, 20, 1), hot = at(result, 20, 38);
  EXPECT_GT(cold.b, cold.r);
  EXPECT_GT(hot.r, hot.b + 60);
  EXPECT_EQ(at(result, 3, 38), hot);  // the rows of the map are equal
  // A hotter point differs more from the photo.
  const auto distance = [](Pixel p) { return std::abs(p.r - 128) + std::abs(p.g - 128) + std::abs(p.b - 128); };
  EXPECT_GT(distance(hot), distance(cold));
  // Along x, the colour changes between the centres of the two cells (x = 10 and x = 30) and is constant outside.
  EXPECT_EQ(at(result, 20, 0), at(result, 20, 9));
  EXPECT_NE(at(result, 20, 12), at(result, 20, 9));
  EXPECT_EQ(at(result, 20, 31), at(result, 20, 39));
}

TEST(HeatScale, GoesFromColdToHot) {
  const Image scale = heat_scale({2, 9});  // the colours of the table in draw.cc, 9 in all
  EXPECT_EQ(at(scale, 0, 0), (Pixel{24, 15, 92}));
  EXPECT_EQ(at(scale, 1, 8), (Pixel{196, 18, 22}));
  EXPECT_EQ(heat_scale({1, 1}).rgb.size(), 3U);
}

TEST(OverlayHeat, OutsideIsDimmedAndFramed) {
  const std::vector<float> map{0, 1};
  const Box where{10, 4, 30, 16};
  const Image result = overlay_heat(grey({20, 40}, 100), where, map, {1, 2}, {.dim = 0.6F});
  for (const auto& [y, x] : {std::pair{0, 0}, {19, 39}, {10, 9}, {10, 30}, {3, 20}, {16, 20}}) {
    EXPECT_EQ(at(result, y, x), (Pixel{60, 60, 60})) << y << "," << x;
  }
  for (const auto& [y, x] : {std::pair{4, 10}, {15, 29}, {10, 10}, {4, 20}}) {
    // The frame is white with opacity 0.8: 100 + 0.8 * (255 - 100) = 224.
    EXPECT_EQ(at(result, y, x), (Pixel{224, 224, 224})) << y << "," << x;
  }
  EXPECT_NE(at(overlay_heat(grey({20, 40}, 100), where, map, {1, 2}, {.outline = false}), 4, 10),
            (Pixel{224, 224, 224}));
}

TEST(OverlayHeat, BoxAroundThePhotoHasNoFrame) {
  const Image result = overlay_heat(grey({10, 10}, 100), {-5, -5, 15, 15}, std::vector<float>{0, 1, 0, 1}, {2, 2});
  EXPECT_EQ(at(result, 0, 0).r, at(result, 9, 0).r);
  EXPECT_GT(at(result, 5, 9).r, at(result, 5, 0).r);
  // If the box does not intersect the photo, the whole photo is dimmed.
  const Image missed =
      overlay_heat(grey({10, 10}, 100), {20, 20, 30, 30}, std::vector<float>{1}, {1, 1}, {.dim = 0.5F});
  EXPECT_EQ(missed, grey({10, 10}, 50));
}

TEST(OverlayHeat, ConstantAndNanMapsAreCold) {
  const Image photo = grey({4, 4}, 100);
  const Box all{0, 0, 4, 4};
  const Image flat = overlay_heat(photo, all, std::vector<float>{7}, {1, 1});
  EXPECT_EQ(overlay_heat(photo, all, std::vector<float>{NAN, NAN}, {2, 1}), flat);
  EXPECT_EQ(overlay_heat(photo, all, std::vector<float>{3, INFINITY, 3, 3}, {2, 2}).rgb.size(), flat.rgb.size());
  const Image mixed = overlay_heat(photo, all, std::vector<float>{NAN, 0, 1, 1}, {2, 2});
  EXPECT_EQ(at(mixed, 0, 0), at(flat, 0, 0));
  // In float32 the difference 3e38 - (-3e38) would overflow.
  EXPECT_EQ(at(overlay_heat(photo, all, std::vector<float>{-3e38F, 3e38F}, {1, 2}), 0, 0), at(flat, 0, 0));
}

}  // namespace
}  // namespace effnet::vision
