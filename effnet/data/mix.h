// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) of neighbouring images of a batch. Lambda is drawn once per
// batch.
#pragma once

#include <cstdint>
#include <span>

#include "effnet/base/random_key.h"
#include "effnet/base/shape.h"

namespace effnet::data {

// Draws a number from Beta(alpha, alpha); alpha must be above 0.
double draw_beta(double alpha, Draws& draws);

struct Mix {
  enum class Kind { none, mixup, cutmix };
  Kind kind = Kind::none;
  float lambda = 1;  // weight of an image's own label; CutMix: the fraction of its pixels that are kept
  // CutMix: the two images exchange a rectangle of size `box`, whose first pixel is in row `top` and column `left`.
  std::int64_t top = 0, left = 0;
  Size box;
};

// Draws how a batch is mixed; `key.sample` is the batch's number. If both alphas are above 0, mixup and CutMix have the
// same probability. For CutMix, a lambda is drawn first. Each side of the box is sqrt(1 - lambda) times the image's
// side. The box has a uniformly drawn centre and is clipped to the image. The returned lambda is computed from the
// clipped box.
Mix draw_mix(double mixup_alpha, double cutmix_alpha, Size image, const RandomKey& key);

// Mixes the images `a` and `b`, both (h, w, 3), with each other in place.
void mix_pair(const Mix& mix, Size image, std::span<float> a, std::span<float> b);

}  // namespace effnet::data
