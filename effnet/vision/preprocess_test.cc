#include "effnet/vision/preprocess.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/vision/golden_files.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {
namespace {

Preprocessing rule(CropOrder order, Filter filter, Size resize, Size crop) {
  Preprocessing result;
  result.order = order;
  result.filter = filter;
  result.resize = resize;
  result.crop = crop;
  return result;
}

void expect_box(const Box& box, double x0, double y0, double x1, double y1) {
  EXPECT_DOUBLE_EQ(box.x0, x0);
  EXPECT_DOUBLE_EQ(box.y0, y0);
  EXPECT_DOUBLE_EQ(box.x1, x1);
  EXPECT_DOUBLE_EQ(box.y1, y1);
}

// Returns an image of `size` that repeats the bytes of the source image, like numpy.resize.
Image repeated(Size size) {
  const Image source = golden::source();
  Image image = blank(size);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = source.rgb[i % source.rgb.size()];
  return image;
}

TEST(Prepare, ResizeFirstEqualsTorchvision) {
  for (auto& line : golden::table("prepare.tsv")) {
    SCOPED_TRACE(line.str());
    Size photo;
    std::int64_t resize = 0, crop = 0;
    std::string filter, hash;
    line >> photo.w >> photo.h >> resize >> crop >> filter >> hash;
    const Preprocessing how = rule(CropOrder::resize_first, filter_named(filter), {resize, resize}, {crop, crop});
    EXPECT_EQ(golden::hash(prepare(repeated(photo), how).pixels), hash);
  }
}

TEST(Prepare, CropFirstTakesTheOfficialSquare) {
  // The photo has w = 500, h = 375. The square has int(224/256 * 375) = 328 pixels along each axis. It begins at
  // x = (500 - 328 + 1) / 2 = 86, y = (375 - 328 + 1) / 2 = 24.
  const Image photo = repeated({375, 500});
  for (const Filter filter : {Filter::tf_bicubic, Filter::bicubic}) {
    const Prepared result = prepare(photo, rule(CropOrder::crop_first, filter, {256, 256}, {224, 224}));
    expect_box(result.crop, 86, 24, 86 + 328, 24 + 328);
    const Image square = crop(photo, 24, 86, {328, 328});
    EXPECT_EQ(result.pixels,
              is_tf(filter) ? rounded(resize_tf(square, {224, 224}, filter)) : resize(square, {224, 224}, filter));
    EXPECT_EQ(result.input.size(), 3U * 224 * 224);
  }
}

TEST(Prepare, CropFirstKeepsTheTargetsAspectRatio) {
  // The target is twice as wide as high. The largest such box in a photo of 100 x 100 has h = 50, w = 100. The crop is
  // crop / resize of it: h = 8/10 * 50 = 40, w = 16/32 * 100 = 50.
  const Prepared wide = prepare(repeated({100, 100}), rule(CropOrder::crop_first, Filter::bilinear, {10, 32}, {8, 16}));
  expect_box(wide.crop, 25, 30, 75, 70);
  EXPECT_EQ(wide.pixels.h, 8);
  EXPECT_EQ(wide.pixels.w, 16);
  // The crop is at least one pixel and at most the photo, even if the rule asks for more.
  expect_box(prepare(repeated({1, 1}), rule(CropOrder::crop_first, Filter::tf_bilinear, {256, 256}, {224, 224})).crop,
             0, 0, 1, 1);
  expect_box(prepare(repeated({4, 6}), rule(CropOrder::crop_first, Filter::tf_bilinear, {2, 2}, {4, 4})).crop, 0, 0, 6,
             4);
}

TEST(Prepare, ResizeFirstReportsItsCrop) {
  // A photo of w = 20, h = 10 is resized to w = 16, h = 8. The crop of 4 x 4 begins at x = (16 - 4) / 2 = 6,
  // y = (8 - 4) / 2 = 2. One resized pixel is 1.25 photo pixels, so in the photo the crop begins at
  // x = 6 * 1.25 = 7.5, y = 2 * 1.25 = 2.5.
  const Prepared result = prepare(repeated({10, 20}), rule(CropOrder::resize_first, Filter::bilinear, {8, 8}, {4, 4}));
  expect_box(result.crop, 7.5, 2.5, 12.5, 7.5);
  // A crop larger than the image has a black border, and its box extends beyond the photo.
  const Prepared padded = prepare(repeated({4, 4}), rule(CropOrder::resize_first, Filter::tf_bilinear, {4, 4}, {6, 7}));
  expect_box(padded.crop, -1, -1, 6, 5);
  EXPECT_EQ(crop(padded.pixels, 1, 1, {4, 4}), repeated({4, 4}));
  EXPECT_EQ(crop(padded.pixels, 0, 0, {1, 7}), blank({1, 7}));
  EXPECT_EQ(crop(padded.pixels, 0, 5, {6, 2}), blank({6, 2}));
}

TEST(Prepare, ResizeFirstCoversOtherAspectRatios) {
  // A photo of w = 30, h = 20 must cover w = 16, h = 8: the width becomes 16, the height int(16 * 20 / 30) = 10.
  const Prepared result = prepare(repeated({20, 30}), rule(CropOrder::resize_first, Filter::bicubic, {8, 16}, {8, 16}));
  EXPECT_EQ(result.pixels, crop(resize(repeated({20, 30}), {10, 16}, Filter::bicubic), 1, 0, {8, 16}));
}

// A strip of w = 1 million, h = 1 resized to h = 256 would be 256 million pixels wide. Only the crop is computed.
TEST(Prepare, StripsNeedNoMemoryForTheWholeResize) {
  const Image strip = repeated({1, 1000000});
  for (const Filter filter : {Filter::bicubic, Filter::tf_bicubic}) {
    EXPECT_EQ(prepare(strip, rule(CropOrder::resize_first, filter, {256, 256}, {224, 224})).pixels.w, 224);
  }
}

TEST(Prepare, InputIsNormalisedByChannel) {
  Preprocessing how = rule(CropOrder::crop_first, Filter::tf_bilinear, {4, 4}, {4, 4});
  how.mean = {127.0 / 255, 0.5, 0};
  how.std = {128.0 / 255, 0.25, 1};
  const Image photo = repeated({4, 4});
  const Prepared result = prepare(photo, how);
  EXPECT_EQ(result.pixels, photo);
  EXPECT_EQ(result.input, normalise(photo, how.mean, how.std));
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_FLOAT_EQ(result.input[i], (photo.rgb[3 * i] - 127.0F) / 128.0F);
    EXPECT_FLOAT_EQ(result.input[16 + i], (photo.rgb[3 * i + 1] - 127.5F) / 63.75F);
    EXPECT_FLOAT_EQ(result.input[32 + i], photo.rgb[3 * i + 2] / 255.0F);
  }
}

// The network gets TensorFlow's exact values, also those outside of 0..255. Only the image for viewing is rounded.
TEST(Prepare, TfInputIsNotRounded) {
  Preprocessing how = rule(CropOrder::crop_first, Filter::tf_bicubic, {4, 4}, {4, 4});
  how.mean = {0, 0, 0};
  how.std = {1, 1, 1};
  Image photo = blank({2, 2});
  for (std::size_t i : {3U, 9U}) photo.rgb[i] = 255;  // red right half
  const Prepared result = prepare(photo, how);
  EXPECT_FLOAT_EQ(result.input[1], 0.5F);
  EXPECT_FLOAT_EQ(result.input[3], 1.09375F);
  EXPECT_EQ(result.pixels.rgb[9], 255);
}

TEST(Prepare, RejectsInvalidSizes) {
  for (const std::int64_t side : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    EXPECT_THROW(prepare(repeated({4, 4}), rule(CropOrder::crop_first, Filter::box, {4, 4}, {4, side})), Error);
    EXPECT_THROW(prepare(repeated({4, 4}), rule(CropOrder::resize_first, Filter::box, {side, 4}, {4, 4})), Error);
  }
}

}  // namespace
}  // namespace effnet::vision
