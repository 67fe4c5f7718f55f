// Turns a photo into a training input: random crop, resize, flip, AutoAugment or RandAugment, normalise, erase, as the
// official code does (docs/reference/paper.md, section D; EN preprocessing.py:96, autoaugment.py). All random numbers
// depend only on the RandomKey.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "effnet/base/preprocessing.h"
#include "effnet/base/random_key.h"
#include "effnet/vision/augment.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

struct TrainingView {
  Preprocessing evaluation;  // size, filter, mean and std; also the crop if it is not random
  Augment augment = Augment::inception;
  double area_low = 0.08, area_high = 1;  // of the random crop, as fractions of the image's area
  double aspect_low = 0.75, aspect_high = 4.0 / 3;
  // If above 0, for small images: there is no random crop. The image is resized to the input's size and shifted by up
  // to this many pixels in each direction; uncovered pixels are black.
  std::int64_t shift_px = 0;
  int randaugment_layers = 2;
  double randaugment_magnitude = 10;
  // The distances of AutoAugment (translation 250 px, cutout 100 px) and RandAugment (100 px, 40 px) are meant for
  // images of about 224 px. They are multiplied by this factor. 0 means min(crop height / 224, 1).
  double distance_scale = 0;
  double erasing = 0;  // probability of random erasing (Zhong et al. 2020: area 0.02-0.4, aspect 0.3-3.3, zeros)
};

// Writes the normalised input (crop.h, crop.w, 3) to `out`, row-major with channels last. `file` is an encoded image.
// If it is a JPEG, only the crop is decoded. A random crop is decoded at the smallest DCT size (1/1, 1/2, 1/4, 1/8) at
// which it is not smaller than the input. Throws Error(input) as decode() does.
void make_training_input(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key,
                         std::span<float> out);
void make_training_input(const Image& photo, const TrainingView& view, const RandomKey& key, std::span<float> out);

// Writes the evaluation input to `out`: the same values as prepare() (preprocess.h), in the layout (crop.h, crop.w, 3).
void make_evaluation_input(std::span<const std::byte> file, const Preprocessing& rule, std::span<float> out);
void make_evaluation_input(const Image& photo, const Preprocessing& rule, std::span<float> out);

}  // namespace effnet::vision
