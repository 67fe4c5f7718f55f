// The single steps of training_view.h, for its tests and its benchmark. Private to effnet/vision.
//
// Each step draws its random numbers for a purpose of its own: "crop", "shift", "flip", "augment", "erasing".
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "effnet/vision/sampling.h"
#include "effnet/vision/training_view.h"

namespace effnet::vision {

// The part of a photo that becomes the input, before it is resized.
struct SourceCrop {
  Image pixels;            // the part; from a reduced photo the whole pixels that cover it
  std::optional<Box> box;  // the part in `pixels`; without it `pixels` is the whole photo, for a resize_first rule
  int reduction = 1;       // photo pixels per pixel of `pixels`, along each axis
};

// Returns the largest of 1, 2, 4, 8 such that the reduced part has at least `needed` pixels along both axes.
int reduction_for(Size part, Size needed);

SourceCrop load_crop(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key);
SourceCrop load_crop(const Image& photo, const TrainingView& view, const RandomKey& key);
SourceCrop load_evaluation_crop(std::span<const std::byte> file, const Preprocessing& rule);
SourceCrop load_evaluation_crop(const Image& photo, const Preprocessing& rule);

// Resizes the crop to the input's size and shifts it by up to shift_px.
Sampled sample(const SourceCrop& source, const TrainingView& view, const RandomKey& key);
// Flips, and applies AutoAugment or RandAugment. These two need 8-bit pixels, so floats are clamped and truncated.
void augment(Sampled& sampled, const TrainingView& view, const RandomKey& key);
// Normalises and erases.
void normalise_and_erase(const Sampled& sampled, const TrainingView& view, const RandomKey& key, std::span<float> out);

}  // namespace effnet::vision
