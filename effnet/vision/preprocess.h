// Turns a photo into a network's input by the rule of effnet/base/preprocessing.h.
//
// crop_first    The box that is cropped has int(crop/resize * side) pixels, where `side` is a side of the largest box
//               with the aspect ratio of `crop`; for a square crop that is int(crop/resize * short side). Along an axis
//               of n photo pixels it begins at (n - box + 1) / 2. The box is resized to `crop`.
// resize_first  The short side is resized to `resize` (for a rule that is not square: the image just covers `resize`);
//               the other side is truncated to an integer. The input is the centre of the resized image: along an axis
//               of n resized pixels, the `crop` pixels from (n - crop) / 2 on, with halves rounded to even. Where the
//               resized image is smaller than `crop`, a black border is added, as in torchvision's CenterCrop.
//
// Both orders accept Pillow's and TensorFlow's filters. Sources: docs/reference/paper.md, section D (evaluation);
// docs/reference/checkpoints.md, sections 3 and 4.
#pragma once

#include <array>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/preprocessing.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

struct Prepared {
  std::vector<float> input;  // (3, crop.h, crop.w), the network's input
  Image pixels;              // the input as an image; TensorFlow's results are clamped and rounded only here
  Box crop;                  // the part of the photo that the input covers; beyond the photo if there is a black border
};

// An input before normalisation: bytes from a Pillow filter, floats from a TensorFlow filter.
struct Sampled {
  Image pixels;      // the result of a Pillow filter, otherwise empty
  FloatImage exact;  // the result of a TensorFlow filter, otherwise empty
  Box crop;          // the part of the photo that the input covers, as in Prepared
};
// Returns the image that prepare() normalises, before normalisation. For callers that pass bytes to the engine. Throws
// as prepare() does.
EFFNET_API Sampled sample_crop(const Image& photo, const Preprocessing& rule);

// Returns the network's input for a photo. Throws Error(input) for a rule whose sizes are not within 1 to 2^20.
EFFNET_API Prepared prepare(const Image& photo, const Preprocessing& rule);

// Returns (3, h, w): (rgb - 255 mean) / (255 std), computed in double and rounded to float.
EFFNET_API std::vector<float> normalise(const Image& image, const std::array<double, 3>& mean,
                                        const std::array<double, 3>& std);
EFFNET_API std::vector<float> normalise(const FloatImage& image, const std::array<double, 3>& mean,
                                        const std::array<double, 3>& std);

}  // namespace effnet::vision
