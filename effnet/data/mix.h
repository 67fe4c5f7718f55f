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
  float lambda = 1;  // weight of an image's own label; CutMix: the fraction of its pixels that stay
  std::int64_t top = 0, left = 0;
  Size box;  // CutMix: the rectangle that is exchanged
};

// Draws the mix of a batch; `key.sample` is the batch's number. If both are on, each batch has one of them with equal
// probability. CutMix: the box has sqrt(1 - lambda) of each side, around a uniform centre, and is clipped to the image;
// lambda is then computed from the clipped box.
Mix draw_mix(double mixup_alpha, double cutmix_alpha, Size image, const RandomKey& key);

// Mixes two images (h, w, 3) with each other in place.
void mix_pair(const Mix& mix, Size image, std::span<float> a, std::span<float> b);

}  // namespace effnet::data
