#include "effnet/vision/exif.h"

#include <gtest/gtest.h>

#include <string>

#include "effnet/vision/image.h"

namespace effnet::vision {
namespace {

int orientation(const std::string& bytes) { return exif_orientation(std::as_bytes(std::span(bytes))); }

std::string number(unsigned value, std::size_t size, bool big_endian) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[big_endian ? size - 1 - i : i] = static_cast<char>(value >> (8 * i) & 0xFF);
  }
  return text;
}

struct Entry {
  unsigned tag, type, count;
  unsigned value;
  std::size_t value_bytes = 2;
};

std::string tiff(const std::vector<Entry>& entries, bool big_endian, unsigned gap = 0) {
  std::string text = big_endian ? std::string("MM\0*", 4) : std::string("II*\0", 4);
  text += number(8 + gap, 4, big_endian) + std::string(gap, '\x55');
  text += number(static_cast<unsigned>(entries.size()), 2, big_endian);
  for (const Entry& entry : entries) {
    std::string value = number(entry.value, entry.value_bytes, big_endian);
    value.resize(4);
    text += number(entry.tag, 2, big_endian) + number(entry.type, 2, big_endian) + number(entry.count, 4, big_endian) +
            value;
  }
  return text;
}

TEST(Exif, ReadsBothByteOrdersWithAndWithoutPrefix) {
  for (const bool big_endian : {false, true}) {
    for (unsigned value = 0; value <= 9; ++value) {
      const int expected = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
      const std::string text = tiff({{0x0100, 3, 1, 5}, {0x0112, 3, 1, value}, {0x0132, 2, 20, 6}}, big_endian, 3);
      EXPECT_EQ(orientation(text), expected) << value << big_endian;
      EXPECT_EQ(orientation(std::string("Exif\0\0", 6) + text), expected) << value << big_endian;
    }
  }
}

// Expected values: Pillow 9.4's Image.open(...).getexif().get(274) for the same bytes.
TEST(Exif, AcceptsEveryNumberTypeAndUsesTheLastField) {
  for (const bool big_endian : {false, true}) {
    const auto of_type = [&](unsigned type, unsigned value, std::size_t bytes) {
      return orientation(tiff({{0x0112, type, 1, value, bytes}}, big_endian));
    };
    for (const unsigned type : {4U, 9U, 13U}) EXPECT_EQ(of_type(type, 6, 4), 6) << type;  // LONG, SLONG, IFD
    for (const unsigned type : {1U, 2U, 7U}) EXPECT_EQ(of_type(type, 6, 1), 1) << type;   // BYTE, ASCII, UNDEFINED
    EXPECT_EQ(of_type(6, 6, 1), 6);                                                       // SBYTE
    EXPECT_EQ(of_type(8, 6, 2), 6);                                                       // SSHORT
    EXPECT_EQ(of_type(8, 0xFFFA, 2), 1);                                                  // -6
    EXPECT_EQ(of_type(11, 0x40C00000, 4), 6);                                             // FLOAT 6
    EXPECT_EQ(of_type(11, 0x40C80000, 4), 1);                                             // 6.25
    EXPECT_EQ(of_type(14, 6, 2), 1);                                                      // unknown type
    EXPECT_EQ(orientation(tiff({{0x0112, 3, 2, 6}}, big_endian)), 6);                     // the first of two values
    EXPECT_EQ(orientation(tiff({{0x0112, 3, 0, 6}}, big_endian)), 1);                     // no value
    // Fractions are stored outside of the entry, at offset 22: after the header (8 bytes), the number of entries (2)
    // and the entry (12).
    const std::string fraction = tiff({{0x0112, 5, 1, 22, 4}}, big_endian);
    EXPECT_EQ(orientation(fraction + number(12, 4, big_endian) + number(2, 4, big_endian)), 6);
    EXPECT_EQ(orientation(fraction + number(6, 4, big_endian) + number(0, 4, big_endian)), 1);
    EXPECT_EQ(orientation(fraction + number(6, 4, big_endian)), 1);
    const std::string negative = tiff({{0x0112, 10, 1, 22, 4}}, big_endian);
    EXPECT_EQ(orientation(negative + number(0xFFFFFFFA, 4, big_endian) + number(0xFFFFFFFF, 4, big_endian)), 6);
  }
  EXPECT_EQ(orientation(tiff({{0x0112, 3, 1, 6}, {0x0112, 3, 1, 8}}, false)), 8);
  EXPECT_EQ(orientation(tiff({{0x0112, 3, 1, 6}, {0x0112, 3, 1, 77}}, false)), 1);
  EXPECT_EQ(orientation(tiff({{0x0112, 3, 1, 6}, {0x0112, 1, 1, 8, 1}}, false)), 1);
  EXPECT_EQ(orientation(tiff({{0x0112, 3, 1, 6}, {0x0112, 14, 1, 8}}, false)), 6);
  EXPECT_EQ(orientation(tiff({}, false)), 1);
}

TEST(Exif, DistinguishesMissingFromInvalid) {
  const auto stored = [](const std::string& text) { return stored_orientation(std::as_bytes(std::span(text))); };
  EXPECT_EQ(stored(tiff({{0x0112, 3, 1, 9}}, true)), 1);
  EXPECT_EQ(stored(tiff({{0x0100, 3, 1, 6}}, true)), std::nullopt);
  EXPECT_EQ(stored("no EXIF"), std::nullopt);
}

TEST(Exif, ReadsXmp) {
  EXPECT_EQ(xmp_orientation("<x tiff:Orientation=\"6\" y=\"1\"/>"), 6);
  EXPECT_EQ(xmp_orientation("<tiff:Orientation>8</tiff:Orientation>"), 8);
  EXPECT_EQ(xmp_orientation("tiff:Orientation tiff:Orientation=\"3\""), 3);
  EXPECT_EQ(xmp_orientation("tiff:Orientation=\"9\""), 1);
  for (const char* text : {"", "tiff:Orientation", "tiff:Orientation=\"", "tiff:Orientation='6'", "Orientation=\"6\""})
    EXPECT_EQ(xmp_orientation(text), std::nullopt) << text;
}

TEST(Exif, CorruptBytesMeanUpright) {
  const std::string text = tiff({{0x0100, 3, 1, 5}, {0x0112, 3, 1, 6}}, true);
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_EQ(orientation(text.substr(0, size)), 1) << size;
  std::string more = text;
  more.replace(8, 2, "\xff\xff");  // the number of entries says 65535; the two that exist are read
  EXPECT_EQ(orientation(more), 6);
  for (const char* offset : {"\xff\xff\xff\xff", "\x7f\xff\xff\xff"}) {
    std::string far = text;
    far.replace(4, 4, offset);
    EXPECT_EQ(orientation(far), 1);
  }
  EXPECT_EQ(orientation("II"), 1);
  EXPECT_EQ(orientation("Exif"), 1);
  EXPECT_EQ(orientation("MM*" + text.substr(3)), 1);
}

// A numbered 3x2 image. The expected results were drawn by hand from the standard's text ("row 0 is the visual
// right-hand side, column 0 the visual top", ...).
TEST(Oriented, EveryOrientationEqualsTheStandard) {
  Image image = blank({2, 3});
  for (std::size_t i = 0; i < 6; ++i) image.rgb[3 * i] = static_cast<std::uint8_t>(i + 1);  // 1 2 3 / 4 5 6
  const std::pair<Size, std::vector<int>> kUpright[] = {
      {{2, 3}, {1, 2, 3, 4, 5, 6}},  // 0: no orientation
      {{2, 3}, {1, 2, 3, 4, 5, 6}}, {{2, 3}, {3, 2, 1, 6, 5, 4}}, {{2, 3}, {6, 5, 4, 3, 2, 1}},
      {{2, 3}, {4, 5, 6, 1, 2, 3}}, {{3, 2}, {1, 4, 2, 5, 3, 6}}, {{3, 2}, {4, 1, 5, 2, 6, 3}},
      {{3, 2}, {6, 3, 5, 2, 4, 1}}, {{3, 2}, {3, 6, 2, 5, 1, 4}}, {{2, 3}, {1, 2, 3, 4, 5, 6}},  // 9: no orientation
  };
  for (int orientation_number = 0; orientation_number <= 9; ++orientation_number) {
    const auto& [size, numbers] = kUpright[orientation_number];
    const Image result = oriented(image, orientation_number);
    ASSERT_EQ(result.h, size.h);
    ASSERT_EQ(result.w, size.w);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(result.rgb[3 * i], numbers[i]) << orientation_number << " at " << i;
      EXPECT_EQ(result.rgb[3 * i + 1] + result.rgb[3 * i + 2], 0);
    }
  }
}

TEST(Crop, PixelsOutsideOfTheImageAreBlack) {
  Image image = blank({2, 3});
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i + 1);
  EXPECT_EQ(crop(image, 0, 0, {2, 3}), image);
  EXPECT_EQ(crop(image, 1, 1, {1, 2}).rgb, (std::vector<std::uint8_t>{13, 14, 15, 16, 17, 18}));
  const Image around = crop(image, -1, -2, {4, 6});
  EXPECT_EQ(crop(around, 1, 2, {2, 3}), image);
  EXPECT_EQ(crop(around, 0, 0, {1, 6}), blank({1, 6}));
  EXPECT_EQ(crop(around, 0, 5, {4, 1}), blank({4, 1}));
  EXPECT_EQ(crop(image, 5, 0, {1, 1}), blank({1, 1}));
  EXPECT_EQ(crop(image, 0, -9, {1, 2}), blank({1, 2}));
}

}  // namespace
}  // namespace effnet::vision
