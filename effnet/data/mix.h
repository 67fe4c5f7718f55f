// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) of neighbouring images of a batch. One draw a batch.
#pragma once

#include <cstdint>
#include <span>

#include "effnet/base/random_key.h"
#include "effnet/base/shape.h"

namespace effnet::data {

// From Beta(alpha, alpha), alpha above 0.
double draw_beta(double alpha, Draws& draws);

struct Mix {
  enum class Kind { none, mixup, cutmix };
  Kind kind = Kind::none;
  float lambda = 1;  // of an image's own label; cutmix: the share of pixels that stay
  std::int64_t top = 0, left = 0;
  Size box;  // cutmix: what is exchanged
};

// What the batch of `key` (its sample is the batch's number) gets; with both on, each batch has one of them by equal
// chance. cutmix: a box of sqrt(1 - lambda) of each side around a uniform centre, cut at the border; the share follows
// from the pixels that are left of it.
Mix draw_mix(double mixup_alpha, double cutmix_alpha, Size image, const RandomKey& key);

// Two images (h, w, 3): each becomes itself and the other by `mix`.
void mix_pair(const Mix& mix, Size image, std::span<float> a, std::span<float> b);

}  // namespace effnet::data
