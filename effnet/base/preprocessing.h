// A preprocessing rule: how an image becomes a network's input, as plain data. Model files store it (effnet/formats);
// effnet/vision/preprocess.h applies it. Rules of the published weights: docs/reference/checkpoints.md, sections 3 and
// 4.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "effnet/base/export.h"
#include "effnet/base/shape.h"

namespace effnet {

enum class Filter {
  // As in Pillow: antialiased, 8-bit result after each pass, bicubic with a = -0.5.
  box,
  bilinear,
  bicubic,
  lanczos,
  // As in TensorFlow 1: no half-pixel centres, no antialiasing, float result, bicubic with a = -0.75.
  tf_bilinear,
  tf_bicubic,
};
EFFNET_API std::string_view name(Filter filter);
EFFNET_API Filter filter_named(std::string_view text);  // throws Error(input) that lists the names

enum class CropOrder {
  crop_first,    // the centre square of int(crop/resize * short side) pixels is resized to `crop` (official recipe)
  resize_first,  // the short side is resized to `resize` pixels, then the centre crop is taken (torchvision, timm)
};
EFFNET_API std::string_view name(CropOrder order);
EFFNET_API CropOrder crop_order_named(std::string_view text);

struct Preprocessing {
  std::string rule = "custom";  // the rule's name: official, pillow, torchvision, ...
  Size crop{224, 224};          // the network's input size in pixels
  // resize_first: the size to which the image is resized before the crop. crop_first: only crop / resize matters, the
  // fraction of the short side that is kept.
  Size resize{256, 256};
  CropOrder order = CropOrder::crop_first;
  bool fixed_margin = true;  // at() keeps resize - crop if true (official), resize / crop if false
  Filter filter = Filter::tf_bicubic;
  std::array<double, 3> mean{0.485, 0.456, 0.406};  // of R, G, B in 0..1; input = (rgb/255 - mean) / std
  std::array<double, 3> std{0.229, 0.224, 0.225};

  EFFNET_API Preprocessing at(Size resolution) const;  // the same rule for another input size
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

}  // namespace effnet
