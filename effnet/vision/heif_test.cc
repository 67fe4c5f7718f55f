// AVIF and HEIC files, compared with the pixels of Pillow 12 (libavif) and pillow-heif (libheif). The fixtures are made
// by tests/golden/vision/make_heif.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

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

// Boxes of ISO/IEC 14496-12 and 23008-12, written by hand.
std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}
std::string box(const std::string& type, const std::string& body) {
  return big_endian(8 + body.size(), 4) + type + body;
}
// An AVIF file whose primary image 1 has the given `locations` (the body of iloc) and the property irot so many times.
std::string refusal(const std::string& locations, std::uint64_t turns) {
  const std::string version0 = big_endian(0, 4);
  std::string associations = version0 + big_endian(1, 4) + big_endian(1, 2) + big_endian(turns + 1, 1) + "\1";
  for (std::uint64_t i = 0; i < turns; ++i) associations += "\2";
  const std::string size = box("ispe", version0 + big_endian(2, 4) + big_endian(2, 4));
  const std::string file =
      box("ftyp", "avif" + version0 + "avifmif1") +
      box("meta", version0 + box("pitm", version0 + big_endian(1, 2)) +
                      box("iinf", version0 + big_endian(1, 2) +
                                      box("infe", big_endian(2, 1) + big_endian(0, 3) + big_endian(1, 2) +
                                                      big_endian(0, 2) + "av01" + big_endian(0, 1))) +
                      box("iloc", version0 + locations) +
                      box("iprp", box("ipco", size + box("irot", "\1")) + box("ipma", associations)));
  try {
    decode(std::as_bytes(std::span(file)));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    return error.what();
  }
  return "no error";
}

// Each item takes 6 bytes of the file and would have 65,535 extents of 16 bytes in memory: 64 GiB in all.
TEST(Heif, RefusesExtentsThatTakeNoBytes) {
  std::string locations = big_endian(0, 2) + big_endian(0xFFFF, 2);
  for (std::uint64_t id = 0; id < 0xFFFF; ++id)
    locations += big_endian(id, 2) + big_endian(0, 2) + big_endian(0xFFFF, 2);
  EXPECT_THAT(refusal(locations, 1), HasSubstr("several extents without offset and length"));
}

// Each rotation takes a pass over the image.
TEST(Heif, RefusesManyRotations) {
  const std::string whole_file =
      big_endian(0, 2) + big_endian(1, 2) + big_endian(1, 2) + big_endian(0, 2) + big_endian(1, 2);
  EXPECT_THAT(refusal(whole_file, 2), testing::Not(HasSubstr("rotations")));  // but it has no coded data
  EXPECT_THAT(refusal(whole_file, 200), HasSubstr("too many rotations"));
}

}  // namespace
}  // namespace effnet::vision
