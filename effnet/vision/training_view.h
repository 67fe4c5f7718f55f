// From a photograph to a training input: random crop, resize, flip, AutoAugment or RandAugment, normalise, erase, as
// the official code does it (docs/reference/paper.md, section D; EN preprocessing.py:96, autoaugment.py). Which numbers
// are drawn follows from a RandomKey alone.
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
  Preprocessing evaluation;  // size, filter, mean and std; and the crop where none is drawn
  Augment augment = Augment::inception;
  double area_low = 0.08, area_high = 1;  // of the random crop, as shares of the image
  double aspect_low = 0.75, aspect_high = 4.0 / 3;
  // Above 0, for small images: instead of the random crop, the image at the input's size is moved by up to so many
  // pixels each way over black.
  std::int64_t shift_px = 0;
  int randaugment_layers = 2;
  double randaugment_magnitude = 10;
  // AutoAugment's distances (translation 250 px, cutout 100 px; RandAugment 100 and 40) belong to images of some 224
  // px; they are multiplied by this. 0: by crop height / 224 where that is below 1, else by 1.
  double distance_scale = 0;
  double erasing = 0;  // probability of random erasing (Zhong et al. 2020: area 0.02-0.4, aspect 0.3-3.3, zeros)
};

// (crop.h, crop.w, 3) row by row, normalised: what the network sees, channels last. `file` are an image's encoded
// bytes; of a JPEG only the crop is decoded, at the smallest of the DCT's sizes (1/1, 1/2, 1/4, 1/8) that is not below
// what the resize needs. Throws Error(input) as decode() does.
void make_training_input(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key,
                         std::span<float> out);
void make_training_input(const Image& photo, const TrainingView& view, const RandomKey& key, std::span<float> out);

// What evaluation sees, in the same layout: prepare() of preprocess.h.
void make_evaluation_input(std::span<const std::byte> file, const Preprocessing& rule, std::span<float> out);
void make_evaluation_input(const Image& photo, const Preprocessing& rule, std::span<float> out);

}  // namespace effnet::vision
