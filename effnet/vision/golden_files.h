// Reads the golden files of tests/golden/vision, for the tests of effnet/vision.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/image.h"

namespace effnet::vision::golden {

inline std::filesystem::path path(const std::string& name) {
  return std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/vision" / name;
}

inline std::vector<std::byte> bytes(const std::string& name) {
  const MappedFile file(path(name));
  return {file.bytes().begin(), file.bytes().end()};
}

inline Image raw(const std::string& name, Size size) {
  const std::vector<std::byte> data = bytes(name);
  Image image = blank(size);
  EFFNET_CHECK(data.size() == image.rgb.size());
  std::transform(data.begin(), data.end(), image.rgb.begin(),
                 [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  return image;
}

inline std::string hash(const Image& image) { return sha256(std::as_bytes(std::span(image.rgb))); }

// The lines of a table, each as a stream.
inline std::vector<std::istringstream> table(const std::string& name) {
  std::istringstream text(read_text(path(name)));
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(text, line);) lines.emplace_back(line);
  EFFNET_CHECK(!lines.empty());
  return lines;
}

// An image file and its expected pixels. fixtures() reads the table `list`, whose rows are "FILE WIDTH HEIGHT". The
// pixels are in the file of the same name with the extension .rgb.
struct Fixture {
  std::string name;
  Image golden;
};
inline std::vector<Fixture> fixtures(const std::string& list) {
  std::vector<Fixture> result;
  for (std::istringstream& line : table(list)) {
    std::string name;
    Size size;
    line >> name >> size.w >> size.h;
    result.push_back({name, raw(name.substr(0, name.rfind('.')) + ".rgb", size)});
  }
  return result;
}

// The source image of the golden files for resizing: w = 23, h = 17.
inline Image source() { return raw("source.rgb", {17, 23}); }

// Flips bits of every `step`-th byte, one byte at a time. Each changed file must decode or throw Error(input).
inline void expect_corrupt_bytes_fail_or_decode(std::vector<std::byte> file, std::size_t step) {
  for (std::size_t i = 0; i < file.size(); i += step) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      file[i] ^= std::byte(flip);
      try {
        decode(file, {.max_pixels = 1 << 16});
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::input) << "byte " << i << ": " << error.what();
      }
      file[i] ^= std::byte(flip);
    }
  }
}

}  // namespace effnet::vision::golden
