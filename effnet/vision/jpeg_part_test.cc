// Tests of JpegFile: a part that is decoded alone equals the same part of the whole decoded image.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/golden_files.h"
#include "effnet/vision/jpeg_testing.h"

namespace effnet::vision {
namespace {

using testkit::encode_jpeg;
using testkit::JpegOptions;
using testkit::noise;

struct Kind {
  std::string name;
  JpegOptions options;
};
std::vector<Kind> kinds() {
  return {{"4:2:0", {}},
          {"4:4:4", {.h_samples = 1, .v_samples = 1}},
          {"4:2:2", {.h_samples = 2, .v_samples = 1}},
          {"4:4:0", {.h_samples = 1, .v_samples = 2}},
          {"4:1:1", {.h_samples = 4, .v_samples = 1}},
          {"4:1:0", {.h_samples = 4, .v_samples = 2}},
          {"grey", {.colours = JCS_GRAYSCALE}},
          {"rgb", {.h_samples = 1, .v_samples = 1, .colours = JCS_RGB}},
          {"cmyk", {.colours = JCS_CMYK}},
          {"progressive 4:2:0", {.progressive = true}},
          {"progressive 4:2:2", {.h_samples = 2, .v_samples = 1, .progressive = true}},
          {"restarts", {.restart_rows = 1}},
          {"arithmetic", {.arithmetic = true}},
          {"progressive arithmetic", {.progressive = true, .arithmetic = true}}};
}

Window random_window(Size photo, Draws& draws) {
  const Size size{1 + draws.below(photo.h), 1 + draws.below(photo.w)};
  return {draws.below(photo.h - size.h + 1), draws.below(photo.w - size.w + 1), size};
}

std::string as_text(const Window& part) {
  return fmt::format("h = {}, w = {} at y = {}, x = {}", part.size.h, part.size.w, part.top, part.left);
}

void expect_part(std::span<const std::byte> file, const Image& whole, const Window& part) {
  JpegFile jpeg(file);
  ASSERT_EQ(jpeg.size(), (Size{whole.h, whole.w}));
  const ReducedPart read = jpeg.read(part, 1);
  ASSERT_EQ(read.image, crop(whole, part.top, part.left, part.size)) << as_text(part);
  EXPECT_EQ(read.box.x0, 0);
  EXPECT_EQ(read.box.y0, 0);
  EXPECT_EQ(read.box.x1, static_cast<double>(part.size.w));
  EXPECT_EQ(read.box.y1, static_cast<double>(part.size.h));
}

TEST(JpegPart, EqualsThePartOfTheWhole) {
  for (const Kind& kind : kinds()) {
    for (const Size size : {Size{1, 1}, {3, 2}, {1, 70}, {70, 1}, {33, 31}, {97, 131}, {64, 160}}) {
      SCOPED_TRACE(fmt::format("{} {}x{}", kind.name, size.h, size.w));
      const auto file = encode_jpeg(noise(size, 1), kind.options);
      const Image whole = decode(file);
      expect_part(file, whole, {0, 0, size});
      expect_part(file, whole, {size.h - 1, size.w - 1, {1, 1}});
      Draws draws({1, 0, 0}, kind.name);
      for (int i = 0; i < 30; ++i) expect_part(file, whole, random_window(size, draws));
    }
  }
}

// Parts begin at every row and column, so that every offset from a block's edge occurs.
TEST(JpegPart, EqualsTheWholeAtEveryBlockOffset) {
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const Size size{49, 60};
    const auto file = encode_jpeg(noise(size, 2), kind.options);
    const Image whole = decode(file);
    for (std::int64_t i = 0; i < 49; ++i) {
      expect_part(file, whole, {i, 5, {1, 7}});
      expect_part(file, whole, {5, i, {7, 3}});
      expect_part(file, whole, {0, 0, {i + 1, i + 1}});
      expect_part(file, whole, {i, i, {49 - i, 60 - i}});
    }
  }
}

TEST(JpegPart, EqualsTheWholeForEveryOrientation) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    const auto file = encode_jpeg(noise({45, 71}, 3), {.orientation = orientation});
    const Image whole = decode(file);
    EXPECT_EQ(whole.h, orientation < 5 ? 45 : 71);
    Draws draws({3, 0, 0}, "turned");
    for (int i = 0; i < 40; ++i) expect_part(file, whole, random_window({whole.h, whole.w}, draws));
    const Image stored = decode(file, {.apply_orientation = false});
    JpegFile jpeg(file, {.apply_orientation = false});
    EXPECT_EQ(jpeg.read({1, 2, {9, 8}}, 1).image, crop(stored, 1, 2, {9, 8}));
  }
}

TEST(JpegPart, EqualsPillowForGoldenFiles) {
  for (auto& line : golden::table("images.tsv")) {
    std::string name;
    Size size;
    line >> name >> size.w >> size.h;
    if (!name.ends_with(".jpg")) continue;
    SCOPED_TRACE(name);
    const auto file = golden::bytes(name);
    const Image whole = golden::raw(name.substr(0, name.rfind('.')) + ".rgb", size);  // from Pillow
    Draws draws({4, 0, 0}, name);
    for (int i = 0; i < 20; ++i) expect_part(file, whole, random_window(size, draws));
  }
}

// A reduced part equals the same part of the reduced whole image, for five orientations.
TEST(JpegPart, ReducedEqualsThePartOfTheReducedWhole) {
  for (const Kind& kind : kinds()) {
    for (const int orientation : {1, 2, 3, 6, 7}) {
      JpegOptions options = kind.options;
      options.orientation = orientation;
      const auto file = encode_jpeg(noise({90, 151}, 5), options);
      for (const int reduction : {2, 4, 8}) {
        SCOPED_TRACE(fmt::format("{} orientation {} at 1/{}", kind.name, orientation, reduction));
        JpegFile all(file);
        const Size size = all.size();
        const ReducedPart whole = all.read({0, 0, size}, reduction);
        ASSERT_EQ(whole.image.h, (size.h + reduction - 1) / reduction);
        ASSERT_EQ(whole.image.w, (size.w + reduction - 1) / reduction);
        Draws draws({5, 0, 0}, kind.name);
        for (int i = 0; i < 6; ++i) {
          const Window part = random_window(size, draws);
          JpegFile jpeg(file);
          const auto [image, box] = jpeg.read(part, reduction);
          // Where the part starts, in pixels of the whole reduced image.
          const double x0 = whole.box.x0 + static_cast<double>(part.left) / reduction;
          const double y0 = whole.box.y0 + static_cast<double>(part.top) / reduction;
          const double left = x0 - box.x0, top = y0 - box.y0;
          ASSERT_EQ(left, std::floor(left));
          ASSERT_EQ(top, std::floor(top));
          ASSERT_EQ(box.x1 - box.x0, static_cast<double>(part.size.w) / reduction);
          ASSERT_EQ(box.y1 - box.y0, static_cast<double>(part.size.h) / reduction);
          ASSERT_TRUE(box.x0 >= 0 && box.x0 < 1 && box.x1 <= static_cast<double>(image.w));
          ASSERT_TRUE(box.y0 >= 0 && box.y0 < 1 && box.y1 <= static_cast<double>(image.h));
          ASSERT_EQ(image, crop(whole.image, static_cast<std::int64_t>(top), static_cast<std::int64_t>(left),
                                {image.h, image.w}))
              << as_text(part);
        }
      }
    }
  }
}

// A reduced inverse DCT keeps a block's mean exactly, because the mean is the DC coefficient. So a block's means in the
// reduced and in the full image are equal up to rounding. The tolerance is 2 levels: in each of the two images, half a
// level for the pixels and half a level for libjpeg's fixed-point transforms. The image is grey, because chroma is
// upsampled, and has low contrast, so that nothing is clamped.
TEST(JpegPart, ReducedKeepsBlockMeans) {
  const Size size{64, 96};
  const auto file = encode_jpeg(noise(size, 6, 100, 156), {.quality = 95, .colours = JCS_GRAYSCALE});
  const Image whole = decode(file);
  const auto mean = [](const Image& image, std::int64_t top, std::int64_t left, std::int64_t side) {
    double sum = 0;
    for (std::int64_t y = top; y < top + side; ++y) {
      for (std::int64_t x = left; x < left + side; ++x) {
        sum += image.rgb[static_cast<std::size_t>(3 * (y * image.w + x))];
      }
    }
    return sum / static_cast<double>(side * side);
  };
  for (const int reduction : {2, 4, 8}) {
    JpegFile jpeg(file);
    const Image reduced = jpeg.read({0, 0, size}, reduction).image;
    for (std::int64_t y = 0; y < size.h; y += 8) {
      for (std::int64_t x = 0; x < size.w; x += 8) {
        EXPECT_NEAR(mean(reduced, y / reduction, x / reduction, 8 / reduction), mean(whole, y, x, 8), 2.0);
      }
    }
  }
}

TEST(JpegPart, TruncatedFileFails) {
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto file = encode_jpeg(noise({20, 30}, 7), kind.options);
    for (std::size_t size = 0; size < file.size(); ++size) {
      const auto truncated = std::span(file).first(size);
      try {
        JpegFile(truncated).read({4, 4, {5, 5}}, 1);
        ADD_FAILURE() << "decoded " << size << " of " << file.size() << " bytes";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      }
    }
  }
}

TEST(JpegPart, CorruptBytesFailOrDecode) {
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    auto file = encode_jpeg(noise({20, 34}, 8), kind.options);
    for (std::size_t i = 0; i < file.size(); ++i) {
      for (const int flip : {0x01, 0xFF}) {
        file[i] ^= std::byte(flip);
        try {
          JpegFile jpeg(file, {.max_pixels = 1 << 16});
          const Size size = jpeg.size();
          const Window part{size.h / 2, size.w / 2, {size.h - size.h / 2, size.w - size.w / 2}};
          const int reduction = 1 << i % 4;
          const ReducedPart read = jpeg.read(part, reduction);
          EXPECT_EQ(read.image.rgb.size(), static_cast<std::size_t>(3 * read.image.h * read.image.w));
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
        }
        file[i] ^= std::byte(flip);
      }
    }
  }
}

// As in decode(), a size that is implausible for the file is an error, and no memory is allocated for it.
TEST(JpegPart, RejectsImplausibleSize) {
  auto file = encode_jpeg(noise({16, 16}, 9));
  for (std::size_t i = 0; i + 9 < file.size(); ++i) {
    if (file[i] != std::byte{0xFF} || file[i + 1] != std::byte{0xC0}) continue;
    for (std::size_t k = 5; k < 9; ++k) file[i + k] = std::byte{0xF0};
    break;
  }
  EXPECT_THROW(JpegFile{file}, Error);
}

}  // namespace
}  // namespace effnet::vision
