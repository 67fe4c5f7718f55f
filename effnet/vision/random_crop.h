// The random crop of the official training preprocessing: TensorFlow's sampler of distorted boxes with the whole
// image as the one object (docs/reference/paper.md, section D). It is not torchvision's RandomResizedCrop: the aspect
// is uniform, not log-uniform, and the side is uniform, not the area.
#pragma once

#include <optional>

#include "effnet/base/random_key.h"
#include "effnet/base/shape.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {

struct CropRange {
  double area_low = 0.08, area_high = 1;  // as shares of the image
  double aspect_low = 0.75, aspect_high = 4.0 / 3;
};

// A part of the image, in whole pixels; nothing if none of 10 attempts gave a valid one, as in images that are far
// from square. A crop of less than a tenth of the image never comes, whatever area_low. An attempt takes seven
// numbers of `draws`: the aspect, the height, the top, the left. Throws Error(usage) for a range that is empty or not
// positive.
std::optional<Window> random_crop(Size photo, const CropRange& range, Draws& draws);

}  // namespace effnet::vision
