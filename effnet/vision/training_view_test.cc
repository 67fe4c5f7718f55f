#include "effnet/vision/training_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/golden_files.h"
#include "effnet/vision/jpeg_testing.h"
#include "effnet/vision/preprocess.h"
#include "effnet/vision/training_parts.h"

namespace effnet::vision {
namespace {

using testkit::encode_jpeg;
using testkit::noise;
using Input = std::vector<float>;

TrainingView view_of(Augment augment, std::int64_t side = 32, Filter filter = Filter::tf_bicubic,
                     CropOrder order = CropOrder::crop_first) {
  TrainingView view;
  view.augment = augment;
  view.evaluation.crop = {side, side};
  view.evaluation.resize = {side + 8, side + 8};
  view.evaluation.filter = filter;
  view.evaluation.order = order;
  return view;
}

template <class ImageType>
Input training(const ImageType& image, const TrainingView& view, const RandomKey& key) {
  Input out(static_cast<std::size_t>(3 * view.evaluation.crop.h * view.evaluation.crop.w), -99);
  make_training_input(image, view, key, out);
  return out;
}
template <class ImageType>
Input evaluation(const ImageType& image, const Preprocessing& rule) {
  Input out(static_cast<std::size_t>(3 * rule.crop.h * rule.crop.w), -99);
  make_evaluation_input(image, rule, out);
  return out;
}

// Converts (3, h, w) to (h, w, 3).
Input rows(const Input& planes) {
  const std::size_t pixels = planes.size() / 3;
  Input result(planes.size());
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) result[3 * i + c] = planes[c * pixels + i];
  }
  return result;
}
Input mirrored(const Input& input, std::size_t side) {
  Input result(input.size());
  for (std::size_t i = 0; i < input.size() / 3; ++i) {
    const std::size_t other = i / side * side + (side - 1 - i % side);
    for (std::size_t c = 0; c < 3; ++c) result[3 * other + c] = input[3 * i + c];
  }
  return result;
}

TEST(TrainingView, EvaluationEqualsPrepare) {
  for (const Filter filter : {Filter::tf_bicubic, Filter::bicubic, Filter::tf_bilinear}) {
    for (const CropOrder order : {CropOrder::crop_first, CropOrder::resize_first}) {
      const TrainingView view = view_of(Augment::none, 32, filter, order);
      for (const Size size : {Size{70, 91}, {300, 200}, {1, 1}, {1, 90}, {33, 32}}) {
        for (const int orientation : {1, 6}) {
          const auto file = encode_jpeg(noise(size, 1), {.orientation = orientation});
          const Image photo = decode(file);
          const Input expected = rows(prepare(photo, view.evaluation).input);
          EXPECT_EQ(evaluation(photo, view.evaluation), expected);
          EXPECT_EQ(evaluation(std::span(file), view.evaluation), expected);
          EXPECT_EQ(training(photo, view, {1, 2, 3}), expected);
          EXPECT_EQ(training(std::span(file), view, {1, 2, 3}), expected);
        }
      }
    }
  }
  const auto png = golden::bytes("png_rgb8.png");
  const TrainingView view = view_of(Augment::none);
  EXPECT_EQ(evaluation(std::span(png), view.evaluation), rows(prepare(decode(png), view.evaluation).input));
}

// A photo below twice the input's size is not reduced, so the file and the decoded image give the same bits.
TEST(TrainingView, FileAndImageGiveTheSameBits) {
  for (const auto& [augment, name] : kAugments) {
    for (const Filter filter : {Filter::tf_bicubic, Filter::bilinear}) {
      TrainingView view = view_of(augment, 32, filter);
      for (const int orientation : {1, 3, 6}) {
        const auto file = encode_jpeg(noise({63, 90}, 2), {.orientation = orientation});
        const Image photo = decode(file);
        for (std::uint64_t sample = 0; sample < 30; ++sample) {
          view.erasing = sample % 2 == 0 ? 0 : 0.5;
          const RandomKey key{1, 0, sample};
          ASSERT_EQ(training(std::span(file), view, key), training(photo, view, key)) << name << sample;
        }
      }
    }
  }
}

// The input depends only on the key, not on the order or the thread. Every part of the key changes the input.
TEST(TrainingView, InputFollowsFromTheKey) {
  const Image photo = noise({80, 100}, 3);
  const auto file = encode_jpeg(photo);
  for (const Augment augment : {Augment::inception, Augment::autoaugment, Augment::randaugment}) {
    TrainingView view = view_of(augment);
    view.erasing = 0.3;
    constexpr std::size_t kKeys = 40;
    const auto key = [](std::size_t i) { return RandomKey{i % 2, i / 2 % 4, i / 8}; };
    std::vector<Input> forward(kKeys), backward(kKeys);
    for (std::size_t i = 0; i < kKeys; ++i) forward[i] = training(std::span(file), view, key(i));
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = kKeys; i-- > 0;) {
          if (i % 2 == t) backward[i] = training(std::span(file), view, key(i));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(forward, backward);
    // Two crops of noise are never equal. An exception is AutoAugment's TranslateY at level 9: it moves all pixels out
    // of the image, as the official distance of 225 px does with images of 224 px.
    const std::size_t different = std::set<Input>(forward.begin(), forward.end()).size();
    EXPECT_GE(different, augment == Augment::autoaugment ? kKeys - 5 : kKeys);
  }
}

TEST(TrainingView, FlipsHalfOfTheImages) {
  const Image photo = noise({50, 40}, 4);
  for (const Filter filter : {Filter::tf_bicubic, Filter::bicubic}) {
    const TrainingView view = view_of(Augment::flip, 31, filter);
    const Input plain = evaluation(photo, view.evaluation);
    const Input flipped = mirrored(plain, 31);
    int flips = 0;
    for (std::uint64_t sample = 0; sample < 1000; ++sample) {
      const Input input = training(photo, view, {5, 0, sample});
      ASSERT_TRUE(input == plain || input == flipped);
      flips += input == flipped ? 1 : 0;
    }
    EXPECT_NEAR(flips, 500, 5 * std::sqrt(250.0));  // five standard deviations
  }
}

// If the random crop fails or is the whole photo, the evaluation crop is used.
TEST(TrainingView, FallsBackToTheEvaluationCrop) {
  for (const Size size : {Size{1, 500}, {500, 1}, {1, 1}}) {
    const Image photo = noise(size, 5);
    const TrainingView view = view_of(Augment::inception);
    const Input plain = evaluation(photo, view.evaluation);
    for (std::uint64_t sample = 0; sample < 10; ++sample) {
      const Input input = training(photo, view, {6, 0, sample});
      EXPECT_TRUE(input == plain || input == mirrored(plain, 32));
    }
  }
  TrainingView whole = view_of(Augment::inception);
  whole.area_low = whole.area_high = whole.aspect_low = whole.aspect_high = 1;
  const Image photo = noise({48, 48}, 6);
  const Input plain = evaluation(photo, whole.evaluation);
  const Input input = training(photo, whole, {7, 0, 0});
  EXPECT_TRUE(input == plain || input == mirrored(plain, 32));
}

TEST(TrainingView, SmallAndOddImagesGiveFiniteInputs) {
  std::vector<std::vector<std::byte>> files;
  for (const Size size : {Size{1, 1}, {3, 2}, {1, 40}, {40, 1}, {2, 300}, {160, 200}}) {
    files.push_back(encode_jpeg(noise(size, 7)));
    files.push_back(encode_jpeg(noise(size, 7), {.colours = JCS_GRAYSCALE}));
    files.push_back(encode_jpeg(noise(size, 7), {.colours = JCS_CMYK, .orientation = 6}));
    files.push_back(encode_jpeg(noise(size, 7), {.progressive = true, .orientation = 7}));
  }
  for (const char* other : {"png_grey8.png", "png_palette4.png", "png_rgb16.png"})
    files.push_back(golden::bytes(other));
  for (const auto& [augment, name] : kAugments) {
    for (const Filter filter : {Filter::tf_bicubic, Filter::lanczos}) {
      for (const std::int64_t shift : {0, 4}) {
        TrainingView view = view_of(augment, 24, filter);
        view.shift_px = shift;
        view.erasing = 0.5;
        for (const auto& file : files) {
          for (std::uint64_t sample = 0; sample < 2; ++sample) {
            const Input input = training(std::span(file), view, {8, 1, sample});
            // On the scale 0..1, a pixel minus the mean is within -4 ... 4, even where the cubic kernel exceeds the
            // range. All channels have a standard deviation above 0.22.
            const auto [low, high] = std::ranges::minmax(input);
            ASSERT_TRUE(low > -4 / 0.22 && high < 4 / 0.22) << name;
          }
        }
      }
    }
  }
}

// A reduced image is sampled at the same positions as the full image. The photo is a ramp, so that bilinear samples are
// exact except for the rounding of pixels. Pixels are dithered, so that their rounding errors are independent.
//
// TensorFlow's filters: the bound of the mean difference is 0.18 levels. A rounding error has a standard deviation of
// at most 1/2 in each of the two images. The mean over 32 x 32 samples (the channels are equal) is within five standard
// deviations: 5 * sqrt(2) / 2 / 32 = 0.11. At reduction 8 a pixel is a DC coefficient divided by 8 with halves rounded
// up, which adds 1/16 to the mean; in all less than 0.18. A position without the shift in resized_part() would be wrong
// by (reduction - 1) / 2 photo pixels. One pixel along the steeper axis is 0.453 levels, so the difference would be
// 0.23 levels at reduction 2, and 1.6 levels at reduction 8.
//
// Pillow's filters round twice to 8 bits. Their errors are equal along whole rows, so the bound is half a level.
TEST(TrainingView, ReducedImagesAreSampledAtTheSamePositions) {
  std::set<int> reductions;
  for (const bool across : {true, false}) {
    Image photo = blank({399, 397});
    Draws dither({9, 0, across}, "dither");
    for (std::int64_t y = 0; y < photo.h; ++y) {
      for (std::int64_t x = 0; x < photo.w; ++x) {
        const auto [along, across_it] = across ? std::pair(x, y) : std::pair(y, x);
        const double level = 0.453 * static_cast<double>(along) + 0.171 * static_cast<double>(across_it);
        std::fill_n(photo.rgb.begin() + 3 * (y * photo.w + x), 3, static_cast<std::uint8_t>(level + dither.uniform()));
      }
    }
    for (const int orientation : {1, 3, 6, 8}) {
      const auto file = encode_jpeg(photo, {.quality = 100, .orientation = orientation});
      const Image upright = decode(file);
      for (const Filter filter : {Filter::tf_bilinear, Filter::bilinear}) {
        TrainingView view = view_of(Augment::inception, 32, filter);
        view.evaluation.mean = {0, 0, 0};
        view.evaluation.std = {1 / 255.0, 1 / 255.0, 1 / 255.0};
        const double bound = is_tf(filter) ? 0.18 : 0.5;
        for (std::uint64_t sample = 0; sample < 8; ++sample) {
          const RandomKey key{9, static_cast<std::uint64_t>(orientation), sample};
          reductions.insert(load_crop(std::span(file), view, key).reduction);
          const Input reduced = training(std::span(file), view, key), full = training(upright, view, key);
          double sum = 0;
          for (std::size_t i = 0; i < full.size(); ++i) sum += static_cast<double>(reduced[i]) - full[i];
          EXPECT_NEAR(sum / static_cast<double>(full.size()), 0, bound) << name(filter) << " " << orientation;
        }
      }
    }
  }
  EXPECT_EQ(reductions, (std::set<int>{2, 4, 8}));
}

TEST(TrainingView, ReductionKeepsThePixelsThatTheResizeNeeds) {
  EXPECT_EQ(reduction_for({63, 64}, {32, 32}), 1);
  EXPECT_EQ(reduction_for({64, 64}, {32, 32}), 2);
  EXPECT_EQ(reduction_for({500, 127}, {32, 32}), 2);
  EXPECT_EQ(reduction_for({500, 128}, {32, 32}), 4);
  EXPECT_EQ(reduction_for({256, 256}, {32, 32}), 8);
  EXPECT_EQ(reduction_for({100000, 100000}, {32, 32}), 8);
}

TEST(TrainingView, ShiftMovesSmallImages) {
  const Image photo = noise({16, 16}, 10, 1);  // no black pixel, so that different shifts give different images
  for (const Filter filter : {Filter::bicubic, Filter::tf_bicubic}) {
    TrainingView view = view_of(Augment::inception, 16, filter);
    view.shift_px = 2;
    view.evaluation.mean = {0, 0, 0};
    view.evaluation.std = {1 / 255.0, 1 / 255.0, 1 / 255.0};
    std::set<Input> expected;
    for (int down = -2; down <= 2; ++down) {
      for (int right = -2; right <= 2; ++right) {
        const Image moved = crop(photo, down, right, {16, 16});
        const Input plain(moved.rgb.begin(), moved.rgb.end());
        expected.insert(plain);
        expected.insert(mirrored(plain, 16));
      }
    }
    ASSERT_EQ(expected.size(), 50U);
    std::set<Input> seen;
    for (std::uint64_t sample = 0; sample < 1000; ++sample) seen.insert(training(photo, view, {11, 0, sample}));
    EXPECT_EQ(seen, expected);
    view.shift_px = 1000;
    const Input far = training(photo, view, {11, 0, 1});
    EXPECT_EQ(std::ranges::count(far, 0.0F), std::ssize(far));
  }
}

TEST(TrainingView, AugmentationTruncatesPixels) {
  TrainingView view = view_of(Augment::randaugment);
  view.randaugment_layers = 0;
  view.evaluation.mean = {0, 0, 0};
  view.evaluation.std = {1 / 255.0, 1 / 255.0, 1 / 255.0};
  TrainingView plain = view;
  plain.augment = Augment::inception;
  const Image photo = noise({60, 60}, 12);
  bool overshot = false;
  for (std::uint64_t sample = 0; sample < 20; ++sample) {
    const Input exact = training(photo, plain, {13, 0, sample}), whole = training(photo, view, {13, 0, sample});
    for (std::size_t i = 0; i < exact.size(); ++i) {
      overshot = overshot || exact[i] < 0 || exact[i] > 255;
      ASSERT_EQ(whole[i], std::floor(std::clamp(exact[i], 0.0F, 255.0F))) << exact[i];
    }
  }
  EXPECT_TRUE(overshot);
}

// Images that use a distance are compared. For AutoAugment these are the images with the sub-policy of index 15, which
// has TranslateY; the index is the first number drawn. For RandAugment ten images are compared: some of them are
// translated or cut out.
TEST(TrainingView, DistancesScaleWithTheInput) {
  const Image photo = noise({50, 50}, 14);
  for (const auto& [side, scale] : {std::pair{32, 32.0 / 224}, {224, 1.0}, {260, 1.0}}) {
    for (const Augment augment : {Augment::autoaugment, Augment::randaugment}) {
      const TrainingView automatic = view_of(augment, side);
      TrainingView named = automatic, other = automatic;
      named.distance_scale = scale;
      other.distance_scale = scale / 2;
      int compared = 0, different = 0;
      for (std::uint64_t sample = 0; compared < 10; ++sample) {
        const RandomKey key{15, 0, sample};
        if (augment == Augment::autoaugment && Draws(key, "augment").below(25) != 15) continue;
        ++compared;
        const Input input = training(photo, automatic, key);
        ASSERT_EQ(input, training(photo, named, key));
        different += input != training(photo, other, key) ? 1 : 0;
      }
      EXPECT_GT(different, 0);
    }
  }
}

TEST(TrainingView, ErasesARectangle) {
  const Image photo = noise({40, 40}, 16, 200, 255);  // far from the mean, so that only erased values are zero
  TrainingView view = view_of(Augment::inception);
  view.erasing = 0.25;
  int erased = 0;
  for (std::uint64_t sample = 0; sample < 1000; ++sample) {
    const Input input = training(photo, view, {17, 0, sample});
    std::int64_t top = 32, bottom = -1, left = 32, right = -1, count = 0;
    for (std::int64_t i = 0; i < 32 * 32; ++i) {
      const auto pixel = std::span(input).subspan(static_cast<std::size_t>(3 * i), 3);
      if (std::ranges::count(pixel, 0.0F) != 3) continue;
      ++count;
      top = std::min(top, i / 32), bottom = std::max(bottom, i / 32);
      left = std::min(left, i % 32), right = std::max(right, i % 32);
    }
    if (count == 0) continue;
    ++erased;
    const std::int64_t h = bottom - top + 1, w = right - left + 1;
    ASSERT_EQ(count, h * w);
    // The area is 0.02 to 0.4 of 32 * 32 = 1024 pixels, the aspect ratio is 0.3 to 1 / 0.3. Each side is rounded to the
    // nearest pixel.
    const auto dh = static_cast<double>(h), dw = static_cast<double>(w);
    ASSERT_TRUE((dh + 0.5) * (dw + 0.5) >= 0.02 * 1024 && (dh - 0.5) * (dw - 0.5) <= 0.4 * 1024);
    ASSERT_TRUE((dh + 0.5) / (dw - 0.5) >= 0.3 && (dh - 0.5) / (dw + 0.5) <= 1 / 0.3);
    ASSERT_TRUE(h < 32 && w < 32);
  }
  EXPECT_NEAR(erased, 250, 5 * std::sqrt(1000 * 0.25 * 0.75));
}

TEST(TrainingView, RejectsInvalidSettings) {
  const Image photo = noise({20, 20}, 18);
  const auto rejected = [&](auto change) {
    TrainingView view = view_of(Augment::inception);
    change(view);
    EXPECT_THROW(training(photo, view, {}), Error);
  };
  rejected([](TrainingView& view) { view.shift_px = -1; });
  rejected([](TrainingView& view) { view.distance_scale = -1; });
  rejected([](TrainingView& view) { view.distance_scale = NAN; });
  rejected([](TrainingView& view) { view.erasing = 1.5; });
  rejected([](TrainingView& view) { view.area_low = 0; });
  rejected([](TrainingView& view) { view.aspect_high = 0.5; });
}

TEST(TrainingView, TruncatedFilesAreErrors) {
  auto file = encode_jpeg(noise({90, 90}, 19));
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{200}, file.size() - 1}) {
    for (const auto& [augment, name] : kAugments) {
      try {
        training(std::span(file).first(size), view_of(augment), {1, 1, 1});
        ADD_FAILURE() << size;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace effnet::vision
