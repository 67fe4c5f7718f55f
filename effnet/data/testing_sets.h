// Small datasets that the tests of effnet/data write to disk.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/base/philox.h"
#include "effnet/vision/draw.h"

namespace effnet::data::testing_sets {

namespace fs = std::filesystem;

inline vision::Image noise(std::uint64_t seed, Size size = {12, 10}) {
  vision::Image image = vision::blank(size);
  const Philox philox(seed, 1);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(philox.uniform(i) * 256);
  return image;
}

inline std::string as_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string png(std::uint64_t seed, Size size = {12, 10}) { return as_text(encode_png(noise(seed, size))); }

class Folder {
 public:
  fs::path root() const { return folder_.path() / "set"; }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((root() / name).parent_path());
    write_text(root() / name, content);
  }
  // Writes `each` random images to SPLIT/cat, SPLIT/dog, ...
  void classes(const std::string& split, const std::vector<std::string>& names, int each, std::uint64_t seed) const {
    for (const std::string& name : names) {
      for (int i = 0; i < each; ++i) write(fmt::format("{}/{}/{:03}.png", split, name, i), png(++seed));
    }
  }

 private:
  TemporaryFolder folder_;
};

// An entry of a tar archive that tests write by hand (POSIX.1-1988, ustar), so that fields can be invalid.
struct TarEntry {
  std::string name, content;
  char type = '0';
  std::string size = {};  // the text of the size field; empty: the content's size
};

inline std::string tar(const std::vector<TarEntry>& entries, bool with_end = true) {
  std::string archive;
  for (const TarEntry& entry : entries) {
    std::string header(512, '\0');
    const auto field = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
    field(0, entry.name.substr(0, 100));
    field(100, "0000644");
    field(108, "0000000");
    field(116, "0000000");
    field(124, entry.size.empty() ? fmt::format("{:011o}", entry.content.size()) : entry.size);
    field(136, "00000000000");
    field(148, "        ");
    header[156] = entry.type;
    field(257, std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    field(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    archive += header + entry.content + std::string((512 - entry.content.size() % 512) % 512, '\0');
  }
  if (with_end) archive += std::string(1024, '\0');
  return archive;
}

}  // namespace effnet::data::testing_sets
