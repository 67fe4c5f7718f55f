// Compares the rows with the tensor that vision::normalise produces, bit for bit.
#include "effnet/engine/input_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "effnet/vision/preprocess.h"

namespace effnet::engine {
namespace {

constexpr Chw kImage{3, 19, 14};  // more than 256 pixels, so that every byte value occurs
constexpr std::int64_t kImages = 2;
constexpr primitives::ImageLayout kLayout{.in = kImage, .top = 1, .left = 2, .height = 22, .width = 19};

const Session::Normalisation kNormalisations[] = {{},
                                                  {.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}},
                                                  {.mean = {0.5, -1.0 / 3, 1e-9}, .std = {1e-3, 7.0 / 11, 123.456}}};

// Returns all rows of all images. Each row has a guard value on both sides that must not change.
std::vector<float> rows_of(const InputRows& rows) {
  constexpr float kUntouched = -12345;
  std::vector<float> all;
  for (std::int64_t image = 0; image < kImages; ++image) {
    for (std::int64_t y = 0; y < kLayout.height; ++y) {
      std::vector<float> row(static_cast<std::size_t>(kLayout.row_values()) + 2, kUntouched);
      rows.write(kLayout, image, y, row.data() + 1);
      EXPECT_EQ(row.front(), kUntouched);
      EXPECT_EQ(row.back(), kUntouched);
      all.insert(all.end(), row.begin() + 1, row.end() - 1);
    }
  }
  return all;
}

// Returns the same images, normalised by vision::normalise, one after the other.
template <class ImageType, class Value>
std::vector<float> normalised(const std::vector<Value>& rgb, const Session::Normalisation& by) {
  std::vector<float> tensor;
  const auto size = static_cast<std::size_t>(kImage.numel());
  for (std::size_t image = 0; image < kImages; ++image) {
    const auto first = rgb.begin() + static_cast<std::ptrdiff_t>(image * size);
    const ImageType source{kImage.h, kImage.w, {first, first + static_cast<std::ptrdiff_t>(size)}};
    const std::vector<float> one =
        vision::normalise(source, {by.mean[0], by.mean[1], by.mean[2]}, {by.std[0], by.std[1], by.std[2]});
    tensor.insert(tensor.end(), one.begin(), one.end());
  }
  return tensor;
}

TEST(InputRows, BytesEqualVisionNormalise) {
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(kImages * kImage.numel()));
  for (std::size_t i = 0; i < rgb.size(); ++i)
    rgb[i] = static_cast<std::uint8_t>(i / 3 + 85 * (i % 3));  // every byte value
  for (const Session::Normalisation& by : kNormalisations) {
    const std::vector<float> tensor = normalised<vision::Image>(rgb, by);
    EXPECT_EQ(rows_of(ByteRows(rgb, by)), rows_of(TensorRows(tensor)));
  }
}

TEST(InputRows, FloatsEqualVisionNormalise) {
  std::vector<float> rgb(static_cast<std::size_t>(kImages * kImage.numel()));
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<float>(i * 7919 % 2601) / 10.0F - 1;  // -1 to 259
  for (const Session::Normalisation& by : kNormalisations) {
    const std::vector<float> tensor = normalised<vision::FloatImage>(rgb, by);
    EXPECT_EQ(rows_of(FloatRows(rgb, by)), rows_of(TensorRows(tensor)));
  }
}

// Checks where each value of a tensor is written: HWC rows with zero padding, for 1, 3 and 5 channels.
TEST(InputRows, WritesATensorIntoPaddedRows) {
  for (const std::int64_t channels : {1, 3, 5}) {
    const Chw shape{channels, 4, 6};
    const primitives::ImageLayout layout{.in = shape, .top = 2, .left = 1, .height = 7, .width = 10};
    std::vector<float> tensor(static_cast<std::size_t>(2 * shape.numel()));
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<float>(i + 1);
    const TensorRows rows(tensor);
    for (std::int64_t image = 0; image < 2; ++image) {
      for (std::int64_t y = 0; y < layout.height; ++y) {
        std::vector<float> row(static_cast<std::size_t>(layout.row_values()), -1);
        rows.write(layout, image, y, row.data());
        for (std::int64_t x = 0; x < layout.width; ++x) {
          for (std::int64_t c = 0; c < channels; ++c) {
            const std::int64_t row_in = y - layout.top, column = x - layout.left;
            const bool inside = row_in >= 0 && row_in < shape.h && column >= 0 && column < shape.w;
            const auto place = ((image * channels + c) * shape.h + row_in) * shape.w + column;
            EXPECT_EQ(row[static_cast<std::size_t>(x * channels + c)], inside ? static_cast<float>(place + 1) : 0.0F);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace effnet::engine
