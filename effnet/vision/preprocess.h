// From a photograph to a network's input: carries out the rule in effnet/base/preprocessing.h.
//
// crop_first    box of int(crop/resize * the largest box of the crop's shape) pixels, for a square crop
//               int(crop/resize * short side); at (n - box + 1) / 2 from the top and the left; resized to `crop`
// resize_first  short side to `resize` (a rule that is not square: so that the image just covers `resize`), the other
//               side cut to a whole number; then the centre `crop` pixels, at (n - crop) / 2 with halves to even; where
//               the resized image is smaller than `crop`, black is added around it, as torchvision's CenterCrop does
//
// Both take either family of filters. Sources: docs/reference/paper.md, section D (evaluation);
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
  Image pixels;              // what the network sees; results of TensorFlow's filters are clamped and rounded here only
  Box crop;                  // the part of the photograph that the input covers; beyond it where black was added
};

// An input before normalisation: whole pixels of a Pillow filter, floats of TensorFlow's.
struct Sampled {
  Image pixels;      // empty if `exact` is not
  FloatImage exact;  // empty if `pixels` is not
  Box crop;          // the part of the photograph that the input covers, as in Prepared
};
// What prepare() normalises: for whoever hands bytes to the engine. Throws as it does.
EFFNET_API Sampled sample_crop(const Image& photo, const Preprocessing& rule);

// Throws Error(input) for a rule whose sizes are not within 1 to 2^20.
EFFNET_API Prepared prepare(const Image& photo, const Preprocessing& rule);

// (3, h, w): (rgb - 255 mean) / (255 std) in double, then float.
EFFNET_API std::vector<float> normalise(const Image& image, const std::array<double, 3>& mean,
                                        const std::array<double, 3>& std);
EFFNET_API std::vector<float> normalise(const FloatImage& image, const std::array<double, 3>& mean,
                                        const std::array<double, 3>& std);

}  // namespace effnet::vision
