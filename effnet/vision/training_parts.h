// The steps of training_view.h one by one, for its tests and its benchmark. Not for use outside of effnet/vision.
//
// The draws of each step have a purpose of their own: "crop", "shift", "flip", "augment", "erasing".
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "effnet/vision/sampling.h"
#include "effnet/vision/training_view.h"

namespace effnet::vision {

// What is resized.
struct Cut {
  Image pixels;            // the part, or what covers it where the image was reduced
  std::optional<Box> box;  // of the part in `pixels`; none: `pixels` is the photograph, for a rule that resizes first
  int reduction = 1;       // photograph pixels a pixel, along each side
};

// The largest of 1, 2, 4, 8 at which the part still has `needed` pixels along both sides.
int reduction_for(Size part, Size needed);

Cut take_cut(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key);
Cut take_cut(const Image& photo, const TrainingView& view, const RandomKey& key);
Cut take_evaluation_cut(std::span<const std::byte> file, const Preprocessing& rule);
Cut take_evaluation_cut(const Image& photo, const Preprocessing& rule);

// At the input's size, and moved by shift_px.
Sampled sample(const Cut& cut, const TrainingView& view, const RandomKey& key);
// Flip and AutoAugment or RandAugment, which need whole pixels: floats are clamped and truncated for them.
void augment(Sampled& sampled, const TrainingView& view, const RandomKey& key);
// Normalisation and erasing.
void finish(const Sampled& sampled, const TrainingView& view, const RandomKey& key, std::span<float> out);

}  // namespace effnet::vision
