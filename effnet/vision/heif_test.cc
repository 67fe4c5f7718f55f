// AVIF and HEIC files, compared with the pixels of Pillow 12 (libavif) and pillow-heif (libheif). The fixtures are made
// by tests/golden/vision/make_heif.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/golden_files.h"

namespace effnet::vision {
namespace {

using testing::HasSubstr;

TEST(Heif, EqualsPillowAndPillowHeif) {
  for (const auto& [name, golden] : golden::fixtures("heif.tsv")) {
    SCOPED_TRACE(name);
    const Image image = read_image(golden::path(name));
    ASSERT_EQ(image.w, golden.w);
    ASSERT_EQ(image.h, golden.h);
    int largest = 0;
    double sum = 0;
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      const int difference = std::abs(int{image.rgb[i]} - int{golden.rgb[i]});
      largest = std::max(largest, difference);
      sum += difference;
    }
    // The differences are small, because they come from the fixed-point arithmetic of Pillow and pillow-heif. A wrong
    // matrix, range or chroma position would give ten times the difference.
    EXPECT_LE(largest, 3);
    EXPECT_LE(sum / static_cast<double>(image.rgb.size()), 0.7);
  }
}

TEST(Heif, OrientationIsPartOfTheImage) {
  const auto path = golden::path("avif_turn6.avif");
  EXPECT_EQ(read_image(path, {.apply_orientation = false}), read_image(path));
}

TEST(Heif, TruncatedFileFailsOrIsComplete) {
  for (const auto& fixture : golden::fixtures("heif.tsv")) {
    SCOPED_TRACE(fixture.name);
    const std::vector<std::byte> file = golden::bytes(fixture.name);
    const Image whole = decode(file);
    for (std::size_t size = 0; size < file.size(); size += 1 + file.size() / 200) {
      try {
        EXPECT_EQ(decode(std::span(file).first(size)), whole) << size;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      }
    }
  }
}

TEST(Heif, CorruptBytesFailOrDecode) {
  for (const auto& fixture : golden::fixtures("heif.tsv")) {
    SCOPED_TRACE(fixture.name);
    testing::internal::CaptureStderr();
    const std::vector<std::byte> file = golden::bytes(fixture.name);
    golden::expect_corrupt_bytes_fail_or_decode(file, 1 + file.size() / 30);
    // dav1d writes to stderr unless its logger is removed. libde265 prints lines about some corrupt headers, which
    // cannot be suppressed.
    const std::string printed = testing::internal::GetCapturedStderr();
    if (fixture.name.ends_with(".avif")) {
      EXPECT_EQ(printed, "");
    }
  }
}

TEST(Heif, RejectsImplausibleSizes) {
  for (const char* name : {"avif_420.avif", "heic_420.heic", "avif_grid.avif"}) {
    std::vector<std::byte> file = golden::bytes(name);
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    for (std::size_t at = text.find("ispe"); at != text.npos; at = text.find("ispe", at + 1)) {
      for (const std::size_t i : {9U, 13U}) file[at + i] = std::byte{0x7F};  // 8 million pixels wide and high
    }
    try {
      decode(file);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), testing::AnyOf(HasSubstr("too large"), HasSubstr("implausible size"))) << name;
    }
  }
}

}  // namespace
}  // namespace effnet::vision
