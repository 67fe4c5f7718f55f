// The steps of preprocess.h that evaluation and training share. Private to effnet/vision.
#pragma once

#include <optional>
#include <span>

#include "effnet/base/preprocessing.h"
#include "effnet/vision/image.h"
#include "effnet/vision/preprocess.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {

// Returns the part of the photo that a crop_first rule resizes.
Window centre_part(Size photo, const Preprocessing& rule);
// Resizes a part of a photo to size `to`. `box` is the part's position in `image`; without a box the part is the whole
// image. `reduction` is the factor by which `image` is smaller than the photo (1: not reduced).
Sampled resized_part(const Image& image, Size to, Filter filter, std::optional<Box> box = {}, int reduction = 1);

// Writes the values of normalise() to `out`, in the layout (h, w, 3).
void normalise_rows(const Image& image, const Preprocessing& rule, std::span<float> out);
void normalise_rows(const FloatImage& image, const Preprocessing& rule, std::span<float> out);

}  // namespace effnet::vision
