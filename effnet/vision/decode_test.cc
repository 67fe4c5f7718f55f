#include "effnet/vision/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "effnet/base/error.h"
#include "effnet/vision/golden_files.h"

namespace effnet::vision {
namespace {

using namespace std::string_view_literals;
using testing::HasSubstr;

// Returns the message of the Error(input) that decoding throws. If it throws no error, the test fails.
std::string failure(std::span<const std::byte> file, const DecodeOptions& options = {}) {
  try {
    decode(file, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "decoded";
  return {};
}
std::string failure(std::string_view file) { return failure(std::as_bytes(std::span(file))); }

std::size_t find(const std::vector<std::byte>& file, std::string_view bytes) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  EXPECT_NE(text.rfind(bytes), text.npos);
  return text.rfind(bytes);
}

void put(std::vector<std::byte>& file, std::size_t at, std::string_view bytes) {
  std::memcpy(file.data() + at, bytes.data(), bytes.size());
}

TEST(Decode, EqualsPillow) {
  for (const auto& [name, golden] : golden::fixtures("images.tsv")) {
    SCOPED_TRACE(name);
    const Image image = read_image(golden::path(name));
    ASSERT_EQ(image.w, golden.w);
    ASSERT_EQ(image.h, golden.h);
    EXPECT_EQ(image.rgb, golden.rgb);
  }
}

TEST(Decode, OrientationIsOptional) {
  const Image stored = read_image(golden::path("jpeg_turn6.jpg"), {.apply_orientation = false});
  EXPECT_EQ(stored, read_image(golden::path("jpeg_turn1.jpg")));
  EXPECT_EQ(oriented(stored, 6), read_image(golden::path("jpeg_turn6.jpg")));
}

TEST(Decode, DetectsFormatByContentNotName) {
  const TemporaryFolder folder;
  write_bytes(folder.path() / "image.jpg", golden::bytes("png_rgb8.png"));
  EXPECT_EQ(read_image(folder.path() / "image.jpg"), read_image(golden::path("png_rgb8.png")));
}

// A truncated JPEG or WebP is an error. A truncated file of another format decodes only if it contains all image data,
// because the bytes after the image data are optional (the end marks of PNG and GIF, BMP's padding). It then has all
// pixels. Its orientation may be in the missing part, so the images are compared as stored.
TEST(Decode, TruncatedFileFailsOrIsComplete) {
  for (const auto& [name, golden] : golden::fixtures("images.tsv")) {
    SCOPED_TRACE(name);
    const std::vector<std::byte> file = golden::bytes(name);
    const bool needs_its_end = name.starts_with("jpeg") || name.starts_with("webp");
    const std::size_t end = name == "jpeg_bytes_after_end.jpg" ? file.size() - 7 : file.size();
    const Image complete = decode_stored(file).image;
    for (std::size_t size = 0; size < end; ++size) {
      try {
        const Image image = decode_stored(std::span(file).first(size)).image;
        EXPECT_TRUE(!needs_its_end && image == complete) << size << " of " << file.size() << " bytes";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      }
    }
    EXPECT_EQ(decode(std::span(file).first(end)), golden);
  }
}

TEST(Decode, CorruptBytesFailOrDecode) {
  for (const auto& fixture : golden::fixtures("images.tsv")) {
    SCOPED_TRACE(fixture.name);
    golden::expect_corrupt_bytes_fail_or_decode(golden::bytes(fixture.name), 1);
  }
}

TEST(Decode, ChecksPngChecksums) {
  std::vector<std::byte> file = golden::bytes("png_gamma.png");
  for (const char* kind : {"IHDR", "gAMA", "IDAT"}) {
    const std::size_t at = find(file, kind) - 4;
    const std::size_t crc = at + 8 + std::to_integer<std::size_t>(file[at + 3]);  // all bodies are below 256 bytes
    file[crc] ^= std::byte(1);
    EXPECT_THAT(failure(file), HasSubstr("CRC")) << kind;
    file[crc] ^= std::byte(1);
  }
}

// A header declares a size that is implausible for the file. Memory of that size must not be allocated.
TEST(Decode, RejectsImplausibleSizes) {
  std::vector<std::byte> jpeg = golden::bytes("jpeg_420.jpg");
  put(jpeg, find(jpeg, "\xff\xc0") + 5, "\xff\xdc\xff\xdc");  // 65500 x 65500
  EXPECT_THAT(failure(jpeg), HasSubstr("too large (got 65500x65500, expected at most 268435456 pixels)"));
  put(jpeg, find(jpeg, "\xff\xc0") + 5, "\x20\x01\x20\x01");  // 8193 x 8193: 67 million pixels in less than a kilobyte
  EXPECT_THAT(failure(jpeg), HasSubstr("too large for its file (got 8193x8193"));

  std::vector<std::byte> progressive = golden::bytes("jpeg_progressive_420.jpg");
  put(progressive, find(progressive, "\xff\xc2") + 5, "\x20\x01\x20\x01");
  EXPECT_THAT(failure(progressive), HasSubstr("too large for its file"));

  // A PNG of (2^31 - 1) x (2^31 - 1) pixels with a valid checksum (from zlib.crc32) and without image data.
  EXPECT_THAT(failure(std::string_view("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0"
                                       "\x9b\xab\x9c\x31\0\0\0\0IDAT\x35\xaf\x06\x1e",
                                       45)),
              HasSubstr("too large (got 2147483647x2147483647"));

  std::vector<std::byte> webp = golden::bytes("webp_animated.webp");
  put(webp, find(webp, "VP8X") + 12, "\xff\x3f\0\xff\x3f\0"sv);  // canvas 16384 x 16384
  EXPECT_THAT(failure(webp), HasSubstr("too large"));
}

TEST(Decode, MaxPixelsLimitsTheSize) {
  const std::vector<std::byte> file = golden::bytes("jpeg_420.jpg");  // 17 x 9 = 153 pixels
  EXPECT_EQ(decode(file, {.max_pixels = 153}).w, 17);
  EXPECT_THAT(failure(file, {.max_pixels = 152}), HasSubstr("expected at most 152 pixels"));
}

// Each repetition of a scan makes the decoder visit all blocks and needs only a few bytes of the file. Only the first
// scan can be repeated without changing the image, because it sets the same coefficients again.
TEST(Decode, RejectsProgressiveBomb) {
  const std::vector<std::byte> file = golden::bytes("jpeg_grey_progressive.jpg");
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const auto begin = file.begin() + static_cast<std::ptrdiff_t>(text.find("\xff\xda"));
  const auto end = file.begin() + static_cast<std::ptrdiff_t>(text.find("\xff\xc4", text.find("\xff\xda")));
  const auto repeated = [&](int times) {
    std::vector<std::byte> bomb(file.begin(), end);
    for (int i = 0; i < times; ++i) bomb.insert(bomb.end(), begin, end);
    bomb.insert(bomb.end(), end, file.end());
    return bomb;
  };
  EXPECT_EQ(decode(repeated(50)), decode(file));
  EXPECT_THAT(failure(repeated(200)), HasSubstr("too many scans"));
}

TEST(Decode, ErrorNamesTheDetectedFormat) {
  const std::pair<std::string_view, std::string_view> kFiles[] = {
      {"", "an empty file"},
      {std::string_view("II*\0\x10\0\0\0CR\2", 11), "a camera raw file"},
      {"FUJIFILMCCD-RAW 0201", "a camera raw file"},
      {"8BPS\1", "a Photoshop file"},
      {"%PDF-1.7", "a PDF file"},
      {"\xff\x0a", "a JPEG XL file"},
      {"P6\n2 2\n255\n", "a Netpbm image"},
      {std::string_view("\0\0\0\x18"
                        "ftypisom",
                        12),
       "a video file"},
      {"<!DOCTYPE html><html>", "HTML, XML or SVG text"},
      {"\xef\xbb\xbf\n <svg/>", "HTML, XML or SVG text"},
      {"hello, world\n", "a text file"},
      {"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
      {"\x01\x02\x03", "bytes '\\x01\\x02\\x03'"},
  };
  for (const auto& [file, expected] : kFiles) {
    EXPECT_THAT(failure(file), HasSubstr(expected));
    EXPECT_THAT(failure(file), HasSubstr("expected JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"));
  }
}

TEST(ReadImage, ErrorNamesThePath) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "corrupt.png";
  write_text(path, "\x89PNG\r\n\x1a\n");
  try {
    read_image(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_THAT(error.what(), HasSubstr(path.string() + ": corrupt or unsupported PNG"));
  }
  EXPECT_THROW(read_image(folder.path() / "missing.png"), Error);
}

}  // namespace
}  // namespace effnet::vision
