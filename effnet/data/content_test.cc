#include "effnet/data/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/data/testing_sets.h"
#include "effnet/vision/resize.h"

namespace effnet::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_sets::png;
using Group = std::vector<std::int64_t>;

// A random smooth image: the sum of waves, the lower frequencies stronger, as in a photograph.
vision::Image scene(std::uint64_t seed, Size size = {70, 90}) {
  constexpr int kWaves = 5;
  const Philox random(seed, 2);
  std::array<double, 3 * kWaves * kWaves * 2> weight{};
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = random.normal(i);
  vision::Image image = vision::blank(size);
  for (std::int64_t y = 0; y < size.h; ++y) {
    for (std::int64_t x = 0; x < size.w; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        double value = 128;
        for (int u = 0; u < kWaves; ++u) {
          for (int v = 0; v < kWaves; ++v) {
            const auto at = static_cast<std::size_t>(((c * kWaves + u) * kWaves + v) * 2);
            const double angle = 3.2 * (u * static_cast<double>(y) / static_cast<double>(size.h) +
                                        v * static_cast<double>(x) / static_cast<double>(size.w));
            value += 22 / (1.0 + u + v) * (weight[at] * std::cos(angle) + weight[at + 1] * std::sin(angle));
          }
        }
        image.rgb[static_cast<std::size_t>(3 * (y * size.w + x) + c)] =
            static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  }
  return image;
}

vision::Image scaled_values(vision::Image image, double factor) {
  for (std::uint8_t& value : image.rgb) value = static_cast<std::uint8_t>(std::min(255.0, value * factor));
  return image;
}

TEST(Content, HashComparesNeighboursAndThumbnailIsAMean) {
  vision::Image ramp = vision::blank({90, 144});  // brighter to the right; each cell of 10 x 16 pixels has one value
  for (std::int64_t y = 0; y < ramp.h; ++y) {
    for (std::int64_t x = 0; x < ramp.w; ++x) {
      for (std::int64_t c = 0; c < 3; ++c)
        ramp.rgb[static_cast<std::size_t>(3 * (y * ramp.w + x) + c)] = static_cast<std::uint8_t>(10 * (x / 16 + 1) + c);
    }
  }
  const ImageContent content = content_of(ramp);
  EXPECT_EQ(content.hash[0], ~std::uint64_t{0});
  EXPECT_EQ(content.hash[1], 0U);
  // Column 0 of the thumbnail covers pixels 0..11 (value 10), column 1 pixels 12..23: four of value 10, eight of 20.
  EXPECT_EQ(content.thumbnail[0], 10);
  EXPECT_EQ(content.thumbnail[1], 11);
  EXPECT_EQ(content.thumbnail[3], 17);
  EXPECT_EQ(content.thumbnail[3 * 11], 90);

  vision::Image point = vision::blank({9, 9});  // one bright pixel, row 2, column 3
  for (std::size_t c = 0; c < 3; ++c) point.rgb[3 * (2 * 9 + 3) + c] = 200;
  EXPECT_EQ(content_of(point).hash[0], std::uint64_t{1} << (8 * 2 + 2));
  EXPECT_EQ(content_of(point).hash[1], std::uint64_t{1} << (8 * 1 + 3));
}

TEST(Content, DigestIsOfTheOrientedPixels) {
  const testing_sets::Folder folder;
  const auto golden = [](const char* name) {
    return read_text(std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/vision" / name);
  };
  folder.write("train/a/1.png", png(1));
  folder.write("train/a/2.png", png(1, {10, 12}));  // the same bytes in another shape
  folder.write("train/a/3.png", png(1).substr(0, 150));
  folder.write("train/b/1.png", png(1));
  folder.write("train/b/6.jpg", golden("jpeg_turn6.jpg"));
  const auto set = open_dataset(folder.root(), "train");
  std::vector<ImageContent> first;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::int64_t last = 0;
    const auto contents = read_contents(*set, pool, [&](std::int64_t done, std::int64_t total) {
      EXPECT_EQ(done, last + 1);
      EXPECT_EQ(total, 5);
      last = done;
    });
    EXPECT_EQ(last, 5);
    EXPECT_NE(contents[0].digest, contents[1].digest);
    EXPECT_EQ(contents[0].digest, contents[3].digest);
    EXPECT_FALSE(contents[2].why.empty());
    EXPECT_EQ(contents[4].orientation, 6);
    EXPECT_THAT(duplicates(contents), ElementsAre(Group{0, 3}));
    if (threads == 1) first = contents;
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].thumbnail, contents[i].thumbnail);
  }
  EXPECT_NO_THROW(check_readable(*set, first));
  first[3].why = first[4].why = "cut off";
  try {
    check_readable(*set, first);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::input);
    EXPECT_THAT(e.what(), HasSubstr("class 'b': no readable image"));
    EXPECT_THAT(e.what(), HasSubstr("train/b/1.png: cut off"));
  }
}

TEST(Content, SmallAndNarrowImagesHaveAContent) {
  for (const Size size : {Size{1, 1}, Size{1, 500}, Size{73, 1}, Size{8, 9}})
    EXPECT_EQ(content_of(scene(1, size)).why, "");
}

TEST(NearDuplicates, FindsChangedCopies) {
  std::vector<ImageContent> contents;
  constexpr std::int64_t kScenes = 20;
  for (std::int64_t i = 0; i < kScenes; ++i) {
    const vision::Image image = scene(static_cast<std::uint64_t>(i));
    contents.push_back(content_of(image));
    contents.push_back(content_of(image));
    contents.push_back(content_of(vision::resize(image, {49, 63}, Filter::bicubic)));
    contents.push_back(content_of(scaled_values(image, 0.85)));
    contents.push_back(content_of(vision::crop(image, 2, 3, {66, 84})));  // 3 % of each side
  }
  const ImageGroups groups = near_duplicates(contents);
  ASSERT_EQ(groups.size(), static_cast<std::size_t>(kScenes));
  for (std::int64_t i = 0; i < kScenes; ++i) {
    EXPECT_EQ(groups[static_cast<std::size_t>(i)], (Group{5 * i, 5 * i + 1, 5 * i + 2, 5 * i + 3, 5 * i + 4}));
  }
}

TEST(NearDuplicates, DifferentImagesAreApart) {
  std::vector<ImageContent> contents;
  for (std::uint64_t i = 0; i < 200; ++i) contents.push_back(content_of(scene(1000 + i, {30, 30})));
  EXPECT_THAT(near_duplicates(contents), IsEmpty());
  contents[7].why = contents[9].why = "cut off";
  contents[7].digest = contents[9].digest;
  EXPECT_THAT(near_duplicates(contents), IsEmpty()) << "a corrupt image has no content";
  EXPECT_THAT(near_duplicates({}), IsEmpty());
}

TEST(NearDuplicates, ImagesOfOneColourOnlyHaveDuplicates) {
  std::vector<ImageContent> contents;
  for (int i = 0; i < 3000; ++i) {
    vision::Image image = vision::blank({2, 2});
    std::fill(image.rgb.begin(), image.rgb.end(), static_cast<std::uint8_t>(i % 250));
    image.rgb[0] = static_cast<std::uint8_t>(i / 250);
    image.rgb[1] = image.rgb[2] = image.rgb[0];
    contents.push_back(content_of(image));
  }
  for (ImageContent& content : contents) content.thumbnail.fill(90);  // flat, but with different digests
  contents[2000].digest = contents[10].digest;
  EXPECT_THAT(near_duplicates(contents), ElementsAre(Group{10, 2000}));
}

TEST(NearDuplicates, ImagesOfOneColourMayHaveAnyColour) {
  std::vector<ImageContent> contents;
  for (int i = 0; i < 30; ++i) {
    vision::Image image = vision::blank({40, 40});
    for (std::size_t k = 0; k < image.rgb.size(); ++k)  // shades of red
      image.rgb[k] = static_cast<std::uint8_t>(k % 3 == 0 ? 225 - i : k % 3 == 1 ? 20 + i / 2 : 60 - i);
    contents.push_back(content_of(image));
  }
  EXPECT_THAT(near_duplicates(contents), IsEmpty());
  contents.push_back(contents[4]);
  EXPECT_THAT(near_duplicates(contents), ElementsAre(Group{4, 30}));
}

// The bands must find exactly the pairs that a comparison of all pairs finds.
TEST(NearDuplicates, BandsMissNoPair) {
  const Philox random(5, 1);
  std::uint64_t next = 0;
  const auto below = [&](std::uint64_t n) { return random.block(next++)[0] % n; };
  std::vector<ImageContent> contents;
  for (int i = 0; i < 400; ++i) {
    ImageContent content;
    content.digest = {next, 1};
    for (std::uint64_t& word : content.hash) word = (below(1ULL << 32) << 32) | below(1ULL << 32);
    for (std::size_t k = 0; k < content.thumbnail.size(); ++k)
      content.thumbnail[k] = static_cast<std::uint8_t>(k % 200);
    contents.push_back(content);
    std::uint64_t flips = 15 + below(16);  // some below the limit of 23, some above
    ImageContent other = content;
    other.digest[1] = 2;
    for (; flips > 0;) {
      const std::uint64_t bit = below(128);
      std::uint64_t& word = other.hash[bit / 64];
      if (((word ^ content.hash[bit / 64]) >> (bit % 64) & 1) != 0) continue;
      word ^= std::uint64_t{1} << (bit % 64);
      --flips;
    }
    contents.push_back(other);
  }
  ImageGroups expected;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    for (std::size_t j = i + 1; j < contents.size(); ++j) {
      const int distance = std::popcount(contents[i].hash[0] ^ contents[j].hash[0]) +
                           std::popcount(contents[i].hash[1] ^ contents[j].hash[1]);
      if (distance <= 23) expected.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)});
    }
  }
  EXPECT_GT(expected.size(), 100U);
  EXPECT_LT(expected.size(), 300U);
  EXPECT_EQ(near_duplicates(contents), expected);
}

TEST(NearDuplicates, ALargeGroupIsDividedWithStricterLimits) {
  const auto images = [](std::uint64_t count) {
    std::vector<ImageContent> contents;
    const ImageContent base = content_of(scene(3));
    for (std::uint64_t i = 0; i < count; ++i) {
      ImageContent one = base;
      one.digest = {i, i};
      const Philox random(i, 7);
      for (std::size_t k = 0; k < one.thumbnail.size(); ++k)
        one.thumbnail[k] = static_cast<std::uint8_t>(std::clamp(one.thumbnail[k] + 7.0 * random.normal(k), 0.0, 255.0));
      contents.push_back(one);
    }
    contents.push_back(contents[0]);
    contents.back().digest = {1000, 0};
    return contents;
  };
  ASSERT_EQ(near_duplicates(images(15)).size(), 1U);
  EXPECT_EQ(near_duplicates(images(15))[0].size(), 16U);
  EXPECT_THAT(near_duplicates(images(16)), ElementsAre(Group{0, 16}));
  // Copies do not make a group large: a run's own images are compared with those of an earlier run.
  std::vector<ImageContent> twice = images(15);
  const std::vector<ImageContent> again = twice;
  twice.insert(twice.end(), again.begin(), again.end());
  ASSERT_EQ(near_duplicates(twice).size(), 1U);
  EXPECT_EQ(near_duplicates(twice)[0].size(), 32U);
}

}  // namespace
}  // namespace effnet::data
