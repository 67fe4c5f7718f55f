// The random crop of the official training preprocessing: TensorFlow's sample_distorted_bounding_box with one bounding
// box, the whole image (docs/reference/paper.md, section D). It differs from torchvision's RandomResizedCrop: the
// aspect ratio is uniform, not log-uniform, and the height is uniform, not the area.
#pragma once

#include <optional>

#include "effnet/base/random_key.h"
#include "effnet/base/shape.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {

struct CropRange {
  double area_low = 0.08, area_high = 1;  // as fractions of the image's area
  double aspect_low = 0.75, aspect_high = 4.0 / 3;
};

// Returns a crop in whole pixels, or nothing if all 10 attempts failed, which happens for images that are far from
// square. A crop has at least a tenth of the image's area, even if area_low is smaller. One attempt consumes seven
// values of `draws`: one for the aspect ratio, and two each for the height, the top and the left. Throws Error(usage)
// if a range is empty or not positive, the area exceeds 1, or the aspect ratio exceeds 100.
std::optional<Window> random_crop(Size photo, const CropRange& range, Draws& draws);

}  // namespace effnet::vision
