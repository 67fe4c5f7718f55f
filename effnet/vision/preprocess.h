// Turns a photo into a network's input by the rule of effnet/base/preprocessing.h.
//
// crop_first    The box that is cropped has int(crop/resize * side) pixels, where `side` is a side of the largest box
//               with the aspect ratio of `crop`; for a square crop that is int(crop/resize * short side). It begins at
//               (n - box + 1) / 2 from the top and from the left, and is resized to `crop`.
// resize_first  The short side is resized to `resize` (for a rule that is not square: the image just covers `resize`);
//               the other side is truncated to an integer. The centre `crop` pixels, at (n - crop) / 2 with halves to
//               even, are the input. Where the resized image is smaller than `crop`, a black border is added, as in
//               torchvision's CenterCrop.
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
  Box crop;                  // the part of the photo that the input covers; a black border is outside of the photo
};

// An input before normalisation: bytes from a Pillow filter, floats from a TensorFlow filter.
struct Sampled {
  Image pixels;      // of a Pillow filter, otherwise empty
  FloatImage exact;  // of a TensorFlow filter, otherwise empty
  Box crop;          // the part of the photo that the input covers, as in Prepared
};
// The image that prepare() normalises, for callers that give the engine bytes. Throws as prepare() does.
EFFNET_API Sampled sample_crop(const Image& photo, const Preprocessing& rule);

// Throws Error(input) for a rule whose sizes are not within 1 to 2^20.
EFFNET_API Prepared prepare(const Image& photo, const Preprocessing& rule);

// Returns (3, h, w): (rgb - 255 mean) / (255 std), computed in double and rounded to float.
EFFNET_API std::vector<float> normalise(const Image& image, const std::array<double, 3>& mean,
                                        const std::array<double, 3>& std);
EFFNET_API std::vector<float> normalise(const FloatImage& image, const std::array<double, 3>& mean,
                                        const std::array<double, 3>& std);

}  // namespace effnet::vision
