// AutoAugment's policy v0 and RandAugment (docs/reference/paper.md, section D): which operations an image gets.
//
// Numbers are drawn in a fixed order, used or not. AutoAugment: the sub-policy, then for each of its two operations
// whether it is applied, its direction and its place (row, column). RandAugment: for each layer the operation, its
// direction and its place.
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

// `distance_scale` multiplies the distances: 250 px of translation and 100 px of cutout at level 10 in AutoAugment, 100
// and 40 in RandAugment.
void autoaugment(Image& image, double distance_scale, Draws& draws);
// `layers` operations out of all 16, each applied at level `magnitude`. Throws Error(usage) unless layers is 0 to 100
// and the magnitude 0 to 100.
void randaugment(Image& image, int layers, double magnitude, double distance_scale, Draws& draws);

}  // namespace effnet::vision
