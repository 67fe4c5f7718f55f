// AutoAugment with policy v0, and RandAugment (docs/reference/paper.md, section D). They choose an image's operations.
//
// Random numbers are drawn in a fixed order, even if an operation does not use them. AutoAugment: the sub-policy, then
// for each of its two operations whether it is applied, its direction and its position (row, column). RandAugment: for
// each layer the operation, its direction and its position.
#pragma once

#include <array>
#include <span>

#include "effnet/base/random_key.h"
#include "effnet/vision/augment_ops.h"

namespace effnet::vision {

struct PolicyStep {
  Op op;
  double probability;
  int level;
};
using SubPolicy = std::array<PolicyStep, 2>;
std::span<const SubPolicy, 25> autoaugment_v0();

// `distance_scale` multiplies the distances at level 10: translation by 250 px and cutout of 100 px in AutoAugment,
// 100 px and 40 px in RandAugment.
void autoaugment(Image& image, double distance_scale, Draws& draws);
// Applies `layers` operations, each drawn from all 16, at level `magnitude`. Throws Error(usage) unless layers and
// magnitude are 0 to 100.
void randaugment(Image& image, int layers, double magnitude, double distance_scale, Draws& draws);

}  // namespace effnet::vision
