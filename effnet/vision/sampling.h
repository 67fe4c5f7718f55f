// The steps of preprocess.h, which evaluation and training share. Not for use outside of effnet/vision.
#pragma once

#include <optional>
#include <span>

#include "effnet/base/preprocessing.h"
#include "effnet/vision/image.h"
#include "effnet/vision/preprocess.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {

// The part of a photograph that a crop_first rule resizes.
Window centre_part(Size photo, const Preprocessing& rule);
// A part of a photograph, resized to `to`; `box` says where in `image` the part lies (the default: it is all of it).
// Where the image is a reduced one, `reduction` photograph pixels make one of its own.
Sampled resized_part(const Image& image, Size to, Filter filter, std::optional<Box> box = {}, int reduction = 1);

// The values of normalise() as (h, w, 3), into `out`.
void normalise_rows(const Image& image, const Preprocessing& rule, std::span<float> out);
void normalise_rows(const FloatImage& image, const Preprocessing& rule, std::span<float> out);

}  // namespace effnet::vision
