#include "effnet/vision/augment_policies.h"

#include <cstddef>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

// Policy v0 of the official code. The AutoAugment paper prints another policy.
constexpr std::array<SubPolicy, 25> kV0{{
    {{{Op::equalize, 0.8, 1}, {Op::shear_y, 0.8, 4}}},
    {{{Op::color, 0.4, 9}, {Op::equalize, 0.6, 3}}},
    {{{Op::color, 0.4, 1}, {Op::rotate, 0.6, 8}}},
    {{{Op::solarize, 0.8, 3}, {Op::equalize, 0.4, 7}}},
    {{{Op::solarize, 0.4, 2}, {Op::solarize, 0.6, 2}}},
    {{{Op::color, 0.2, 0}, {Op::equalize, 0.8, 8}}},
    {{{Op::equalize, 0.4, 8}, {Op::solarize_add, 0.8, 3}}},
    {{{Op::shear_x, 0.2, 9}, {Op::rotate, 0.6, 8}}},
    {{{Op::color, 0.6, 1}, {Op::equalize, 1.0, 2}}},
    {{{Op::invert, 0.4, 9}, {Op::rotate, 0.6, 0}}},
    {{{Op::equalize, 1.0, 9}, {Op::shear_y, 0.6, 3}}},
    {{{Op::color, 0.4, 7}, {Op::equalize, 0.6, 0}}},
    {{{Op::posterize, 0.4, 6}, {Op::auto_contrast, 0.4, 7}}},
    {{{Op::solarize, 0.6, 8}, {Op::color, 0.6, 9}}},
    {{{Op::solarize, 0.2, 4}, {Op::rotate, 0.8, 9}}},
    {{{Op::rotate, 1.0, 7}, {Op::translate_y, 0.8, 9}}},
    {{{Op::shear_x, 0.0, 0}, {Op::solarize, 0.8, 4}}},
    {{{Op::shear_y, 0.8, 0}, {Op::color, 0.6, 4}}},
    {{{Op::color, 1.0, 0}, {Op::rotate, 0.6, 2}}},
    {{{Op::equalize, 0.8, 4}, {Op::equalize, 0.0, 8}}},
    {{{Op::equalize, 1.0, 4}, {Op::auto_contrast, 0.6, 2}}},
    {{{Op::shear_y, 0.4, 7}, {Op::solarize_add, 0.6, 7}}},
    {{{Op::posterize, 0.8, 2}, {Op::solarize, 0.6, 10}}},
    {{{Op::solarize, 0.6, 8}, {Op::equalize, 0.6, 1}}},
    {{{Op::color, 0.8, 6}, {Op::rotate, 0.4, 5}}},
}};

constexpr Distances kAutoAugment{250, 100};
constexpr Distances kRandAugment{100, 40};

Distances scaled(const Distances& distances, double scale) {
  return {distances.translate_px * scale, distances.cutout_px * scale};
}

void apply_with_draws(Image& image, Op op, bool applied, double level, const Distances& distances, Draws& draws) {
  const bool negated = draws.chance(0.5);
  const std::int64_t centre_y = draws.below(image.h);
  const std::int64_t centre_x = draws.below(image.w);
  if (!applied) return;
  const Operation& row = operation(op);
  const double argument = row.argument(level, distances);
  row.apply(image, row.directed && negated ? -argument : argument, centre_y, centre_x);
}

}  // namespace

std::span<const SubPolicy, 25> autoaugment_v0() { return kV0; }

void autoaugment(Image& image, double distance_scale, Draws& draws) {
  const Distances distances = scaled(kAutoAugment, distance_scale);
  const SubPolicy& policy = kV0.at(static_cast<std::size_t>(draws.below(kV0.size())));
  for (const PolicyStep& step : policy) {
    const bool applied = draws.chance(step.probability);
    apply_with_draws(image, step.op, applied, step.level, distances, draws);
  }
}

void randaugment(Image& image, int layers, double magnitude, double distance_scale, Draws& draws) {
  if (layers < 0 || layers > 100)
    throw usage_error("RandAugment: number of layers out of range (got {}, expected 0 to 100)", layers);
  if (!(magnitude >= 0 && magnitude <= 100))
    throw usage_error("RandAugment: magnitude out of range (got {}, expected 0 to 100)", magnitude);
  const Distances distances = scaled(kRandAugment, distance_scale);
  for (int layer = 0; layer < layers; ++layer) {
    const Op op = static_cast<Op>(draws.below(static_cast<std::int64_t>(operations().size())));
    apply_with_draws(image, op, true, magnitude, distances, draws);
  }
}

}  // namespace effnet::vision
