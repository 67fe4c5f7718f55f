// The single steps of training_view.h, for its tests and its benchmark. Private to effnet/vision.
//
// Each step draws its random numbers for its own purpose (random_key.h): "crop", "shift", "flip", "augment" or
// "erasing".
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "effnet/vision/sampling.h"
#include "effnet/vision/training_view.h"

namespace effnet::vision {

// The part of a photo that becomes the input, before it is resized.
struct SourceCrop {
  Image pixels;            // the part; if the photo is reduced, the whole pixels that cover the part
  std::optional<Box> box;  // position of the part in `pixels`; nothing if `pixels` is the whole photo of a resize_first
                           // rule
  int reduction = 1;       // photo pixels per pixel of `pixels`, along each axis
};

// Returns the largest of 2, 4, 8 for which the reduced part has at least `needed` pixels along both axes; 1 if none of
// them does.
int reduction_for(Size part, Size needed);

SourceCrop load_crop(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key);
SourceCrop load_crop(const Image& photo, const TrainingView& view, const RandomKey& key);
SourceCrop load_evaluation_crop(std::span<const std::byte> file, const Preprocessing& rule);
SourceCrop load_evaluation_crop(const Image& photo, const Preprocessing& rule);

// Resizes the crop to the input's size and shifts it by up to shift_px.
Sampled sample(const SourceCrop& source, const TrainingView& view, const RandomKey& key);
// Flips half of the images and applies AutoAugment or RandAugment, as `view` says. AutoAugment and RandAugment need
// 8-bit pixels, so floats are clamped and truncated for them.
void augment(Sampled& sampled, const TrainingView& view, const RandomKey& key);
// Writes the normalised input to `out` and erases a random rectangle with probability view.erasing.
void normalise_and_erase(const Sampled& sampled, const TrainingView& view, const RandomKey& key, std::span<float> out);

}  // namespace effnet::vision
