// Measures one loader thread's work, from a JPEG's bytes to the network's input with AutoAugment:
//
//   training_view_bench [FOLDER] [SECONDS] [SIDE]     defaults: examples/photos, 5, 224
//
// A JPEG whose longer side is 500 px is used as it is. Every other image is scaled to that size and encoded at quality
// 90, 4:2:0. Prints images per second and the milliseconds per image of each step, in processor time. Run it with
// `taskset -c N` on an idle core.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/jpeg_testing.h"
#include "effnet/vision/resize.h"
#include "effnet/vision/training_parts.h"

namespace effnet::vision {
namespace {

// Processor time of this process, so that other processes do not count.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

constexpr std::int64_t kLongSide = 500;

std::vector<std::vector<std::byte>> read_photos(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string ending = entry.path().extension().string();
    if (entry.is_regular_file() && (ending == ".jpg" || ending == ".jpeg" || ending == ".JPEG" || ending == ".png")) {
      paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);
  std::vector<std::vector<std::byte>> photos;
  for (const auto& path : paths) {
    const MappedFile file(path);
    const Image image = decode(file.bytes());
    if (is_jpeg(file.bytes()) && std::max(image.h, image.w) == kLongSide) {
      photos.emplace_back(file.bytes().begin(), file.bytes().end());
    } else {
      const Size size = fitted({image.h, image.w}, kLongSide);
      photos.push_back(testkit::encode_jpeg(resize(image, size, Filter::lanczos)));
    }
  }
  if (photos.empty()) throw input_error("no images in {} (expected .jpg or .png files)", folder.string());
  return photos;
}

struct Part {
  const char* name;
  double seconds = 0;
};

void run(const std::filesystem::path& folder, double seconds, std::int64_t side) {
  const auto photos = read_photos(folder);
  std::size_t bytes = 0;
  for (const auto& photo : photos) bytes += photo.size();
  TrainingView view;
  view.augment = Augment::autoaugment;
  view.evaluation.crop = {side, side};
  view.evaluation.resize = {side + 32, side + 32};
  std::vector<float> input(static_cast<std::size_t>(3 * side * side));

  Part parts[] = {{"crop, decode"}, {"resize"}, {"flip, augment"}, {"normalise"}};
  std::uint64_t images = 0;
  const double begin = cpu_seconds();
  double now = begin;
  const auto lap = [&](Part& part) {
    const double then = std::exchange(now, cpu_seconds());
    part.seconds += now - then;
  };
  while (now - begin < seconds) {
    const RandomKey key{1, images / photos.size(), images % photos.size()};
    const SourceCrop source = load_crop(std::span(photos[key.sample]), view, key);
    lap(parts[0]);
    Sampled sampled = sample(source, view, key);
    lap(parts[1]);
    augment(sampled, view, key);
    lap(parts[2]);
    normalise_and_erase(sampled, view, key, input);
    lap(parts[3]);
    ++images;
  }
  const double total = now - begin;
  const auto count = static_cast<double>(images);
  fmt::print("{} photos of {} px, {:.0f} KB on average, to {} px with AutoAugment: {:.0f} images/s on one core\n",
             photos.size(), kLongSide, static_cast<double>(bytes) / static_cast<double>(photos.size()) / 1000, side,
             count / total);
  for (const Part& part : parts) {
    fmt::print("  {:14} {:6.3f} ms  {:4.1f} %\n", part.name, 1000 * part.seconds / count, 100 * part.seconds / total);
  }
  const double start = cpu_seconds();
  for (const auto& photo : photos) decode(photo);
  fmt::print("  (decoding the whole image: {:.3f} ms)\n",
             1000 * (cpu_seconds() - start) / static_cast<double>(photos.size()));
}

}  // namespace
}  // namespace effnet::vision

int main(int argc, char** argv) {
  try {
    const std::filesystem::path folder =
        argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::path(EFFNET_SOURCE_DIR) / "examples/photos";
    effnet::vision::run(folder, argc > 2 ? std::atof(argv[2]) : 5, argc > 3 ? std::atol(argv[3]) : 224);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_view_bench: %s\n", error.what());
    return 1;
  }
}
