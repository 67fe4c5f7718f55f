// Shared by the tests of lab: a small space, generated images that a small network can learn, and recipes for them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/philox.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/search/nas/evaluator.h"
#include "effnet/search/space/extreme_point.h"
#include "effnet/search/space/space.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/vision/draw.h"

namespace effnet::lab::testkit {

namespace fs = std::filesystem;

// 128 points. Stage 1 has two kernels and widths; stage 2 two kinds of block, kernels, SE, expansions and lengths.
inline constexpr const char* kSpace = R"(
name = "tiny"
base_arch = """
name = "tiny_base"
resolution = 16
classes = 3
preprocessing = "whole"
bn_momentum = 0.9
dropout = 0.2
drop_path = 0.2
[stem]
channels = 8
stride = 1
[[stages]]
channels = 8
expand = 1
se = 0.25
[[stages]]
channels = 12
stride = 2
expand = 4
[head]
channels = 24
"""
[[stages]]
stage = 1
kernel = [3, 5]
channels = [8, 12]
[[stages]]
stage = 2
block = ["mbconv", "depthwise_separable"]
kernel = [3, 5]
se = [0, 0.25]
expand = [1, 4]
layers = [0, 1]
)";
inline search::Space tiny_space() { return search::parse_space(kSpace, "tiny"); }

// The points with the fewest and the most MACs.
inline search::Point smallest_point(const search::Space& space) {
  return search::extreme_point(space, search::Extreme::cheapest, graph::count_macs);
}
inline search::Point largest_point(const search::Space& space) {
  return search::extreme_point(space, search::Extreme::most_expensive, graph::count_macs);
}

// Every point of a space.
inline std::vector<search::Point> all_points(const search::Space& space) {
  std::vector<search::Point> points{{}};
  for (const search::Choice& choice : space.choices) {
    std::vector<search::Point> longer;
    for (const search::Point& point : points) {
      for (int option = 0; option < std::ssize(choice.options); ++option) {
        longer.push_back(point);
        longer.back().push_back(option);
      }
    }
    points = std::move(longer);
  }
  return points;
}

// A folder with train/ and val/ and three classes: noise of 16 x 16 pixels, in which the colour of the class is
// brighter.
class ImageFolder {
 public:
  explicit ImageFolder(int train = 8, int val = 4) {
    write("train", train);
    write("val", val);
  }
  fs::path path() const { return folder_.path(); }

 private:
  void write(const std::string& split, int each) const {
    for (std::size_t label = 0; label < 3; ++label) {
      const fs::path to = path() / split / std::string(1, static_cast<char>('a' + label));
      make_folders(to);
      for (int i = 0; i < each; ++i) {
        vision::Image image = vision::blank({16, 16});
        const Philox noise(7, stream_of(fmt::format("{} {} {}", split, label, i)));
        for (std::size_t k = 0; k < image.rgb.size(); ++k)
          image.rgb[k] = static_cast<std::uint8_t>(noise.uniform(k) * 160 + (k % 3 == label ? 90 : 0));
        write_bytes(to / fmt::format("{}.png", i), vision::encode_png(image));
      }
    }
  }
  TemporaryFolder folder_;
};

// A recipe for an ImageFolder: 8 images per step, 3 steps per epoch with 24 images.
inline std::string recipe_text(const ImageFolder& images, double epochs = 2) {
  return fmt::format(R"(
[data]
folder = "{}"
augment = "none"
workers = 1
[train]
epochs = {:.1f}
batch = 8
label_smoothing = 0.0
[optimizer]
name = "sgd"
lr = 0.05
[schedule]
name = "cosine"
warmup_epochs = 0
[ema]
decay = 0.0
[checkpoint]
every_steps = 2
)",
                     images.path().string(), epochs);
}
inline train::Recipe recipe(const ImageFolder& images, double epochs = 2) {
  return train::parse_recipe(recipe_text(images, epochs), "test recipe");
}

// The code and text of the Error that `body` throws: "3 MESSAGE | HINT".
inline std::string failure(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return fmt::format("{} {} | {}", static_cast<int>(error.code()), error.what(), error.hint());
  }
  return "no error";
}

inline search::EvaluatorPlace place(const fs::path& folder = {}) {
  return {.folder = folder, .device = "cpu", .threads = 1};
}

inline search::Trial trial(double budget = 1, std::uint64_t seed = 1) {
  search::Trial result;
  result.id = 1;
  result.attempts = 1;
  result.what.seed = seed;
  result.what.budget = budget;
  return result;
}

}  // namespace effnet::lab::testkit
