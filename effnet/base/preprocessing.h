// How a photograph becomes a network's input, as plain data: it is stored in model files (effnet/formats) and carried
// out by effnet/vision/preprocess.h.
// Rules of the published weights: docs/reference/checkpoints.md, sections 3 and 4.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "effnet/base/export.h"
#include "effnet/base/shape.h"

namespace effnet {

enum class Filter {
  box,
  bilinear,
  bicubic,
  lanczos,  // as Pillow: antialiased, 8-bit result after each pass, bicubic a = -0.5
  tf_bilinear,
  tf_bicubic,  // as TensorFlow 1: no half-pixel centres, no antialias, float result, bicubic a = -0.75
};
EFFNET_API std::string_view name(Filter filter);
EFFNET_API Filter filter_named(std::string_view text);  // Error(input) that lists the names

enum class CropOrder {
  crop_first,    // centre square of int(crop/resize * short side) pixels, resized to `crop` (the official recipe)
  resize_first,  // short side to `resize` pixels, then the centre `crop` pixels (torchvision, timm)
};
EFFNET_API std::string_view name(CropOrder order);
EFFNET_API CropOrder crop_order_named(std::string_view text);

struct Preprocessing {
  std::string rule = "custom";  // the name under which the rule is known: official, pillow, torchvision, ...
  Size crop{224, 224};          // what the network sees, in pixels
  Size resize{256, 256};        // what the crop is cut from (crop_first: the size at which the whole square would be)
  CropOrder order = CropOrder::crop_first;
  bool fixed_margin = true;  // at another resolution: keep resize - crop (official), or keep resize / crop
  Filter filter = Filter::tf_bicubic;
  std::array<double, 3> mean{0.485, 0.456, 0.406};  // of RGB in 0..1; input = (rgb/255 - mean) / std
  std::array<double, 3> std{0.229, 0.224, 0.225};

  EFFNET_API Preprocessing at(Size resolution) const;  // the same rule for another input size
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

}  // namespace effnet
