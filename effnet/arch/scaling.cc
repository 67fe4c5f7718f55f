#include "effnet/arch/scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "effnet/arch/ranges.h"
#include "effnet/base/error.h"

namespace effnet::arch {
namespace {

constexpr std::int64_t kResolutionStep = 4;
constexpr double kResolutionSlack = 0.06;  // docs/cli.md: the resolution is within 6 % of gamma^phi
constexpr double kTolerance = 0.03;        // docs/cli.md: the target is reached to within 3 %

void check_multiplier(std::string_view what, double value) {
  if (!(value > 0 && value <= 100))
    throw usage_error("{}: out of range (got {}, expected a number above 0 and at most 100)", what, value);
}

// Returns `value`. Throws Error(usage) if an arch file could not contain it.
double bounded(std::string_view what, double value, const Range<std::int64_t>& range) {
  const auto most = static_cast<double>(range.high);
  if (!(value <= most))
    throw usage_error("scaled {}: out of range (got {:.0f}, expected at most {:.0f})", what, value, most);
  return value;
}

}  // namespace

std::int64_t round_width(double width, std::int64_t channels) {
  if (width == 1) return channels;
  const double wanted = width * static_cast<double>(channels);
  double rounded = std::max(8.0, std::floor((wanted + 4) / 8) * 8);
  if (rounded < 0.9 * wanted) rounded += 8;
  return static_cast<std::int64_t>(bounded("channels", rounded, kChannels));
}

std::int64_t round_repeats(double depth, std::int64_t repeats) {
  return static_cast<std::int64_t>(bounded("repeats", std::ceil(depth * static_cast<double>(repeats)), kRepeats));
}

std::int64_t round_resolution(double pixels) {
  const double step = kResolutionStep;
  const double rounded = std::max(step, std::floor(pixels / step + 0.5) * step);
  return static_cast<std::int64_t>(bounded("resolution", rounded, kResolution));
}

ArchSpec scaled(const ArchSpec& base, double depth, double width, std::int64_t resolution) {
  if (!base.scalable) {
    throw usage_error("{} cannot be scaled (got a network of fixed size, expected one with scalable = true)",
                      base.name);
  }
  check_multiplier("--depth", depth);
  check_multiplier("--width", width);
  if (resolution < kResolution.low || resolution > kResolution.high) {
    throw usage_error("--resolution: out of range (got {}, expected {} to {})", resolution, kResolution.low,
                      kResolution.high);
  }
  ArchSpec spec = base;
  spec.resolution = resolution;
  if (spec.stem.scale_width) spec.stem.channels = round_width(width, base.stem.channels);
  for (StageSpec& stage : spec.stages) {
    stage.channels = round_width(width, stage.channels);
    if (stage.scale_depth) stage.repeats = round_repeats(depth, stage.repeats);
  }
  if (spec.head.scale_width && spec.head.channels > 0) {
    spec.head.channels = std::max(round_width(width, base.head.channels), base.head.min_channels);
  }
  if (depth != 1 || width != 1 || resolution != base.resolution) {
    spec.name = fmt::format("{}-d{:g}-w{:g}-r{}", base.name, depth, width, resolution);
  }
  return spec;
}

Scaling compound(const ArchSpec& base, double phi, const Coefficients& c, Dimensions dimensions) {
  Scaling result;
  result.phi = phi;
  result.depth = dimensions.depth ? std::pow(c.alpha, phi) : 1;
  result.width = dimensions.width ? std::pow(c.beta, phi) : 1;
  const double ratio = dimensions.resolution ? std::pow(c.gamma, phi) : 1;
  result.resolution = ratio == 1 ? base.resolution : round_resolution(ratio * static_cast<double>(base.resolution));
  result.spec = scaled(base, result.depth, result.width, result.resolution);
  return result;
}

Scaling solve(const ArchSpec& base, double target, const Coefficients& c, Dimensions dimensions, const Cost& cost) {
  // If the scaled network exceeds the ranges of an arch file, its cost counts as infinite.
  const auto cost_at = [&](double phi) {
    try {
      return cost(compound(base, phi, c, dimensions).spec);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage || phi <= 0) throw;
      return std::numeric_limits<double>::infinity();
    }
  };
  double low = -20;
  double high = 60;
  compound(base, 0, c, dimensions);  // throws before the search if the network cannot be scaled
  if (const double least = cost_at(low); least > target) {
    throw usage_error(
        "the target cannot be reached (got {:g}, expected at least {:g}: the cost of the smallest scaled {})", target,
        least, base.name);
  }
  while (high - low > 1e-6) {
    const double middle = (low + high) / 2;
    (cost_at(middle) <= target ? low : high) = middle;
  }

  Scaling best = compound(base, low, c, dimensions);
  double best_cost = cost(best.spec);
  if (best_cost >= (1 - kTolerance) * target || !dimensions.resolution) return best;

  // Depth and width are rounded, so the cost grows in steps, and the next step would exceed the target. This loop
  // searches nearby values of phi, each with resolutions that may differ from gamma^phi.
  double best_departure = INFINITY;
  // A change of 6 % in resolution is 12 % in MACs, which is 0.18 in phi. Small networks have larger steps, so phi is
  // searched 0.6 on both sides.
  constexpr int kSteps = 120;
  constexpr double kStep = 0.005;
  for (int step = kSteps; step > -kSteps; --step) {
    const double phi = low + step * kStep;
    Scaling candidate;
    try {
      candidate = compound(base, phi, c, dimensions);
    } catch (const Error&) {
      continue;  // the network is out of range: it costs more than any target
    }
    const double centre = std::pow(c.gamma, phi) * static_cast<double>(base.resolution);
    const auto first = static_cast<std::int64_t>(std::ceil(centre * (1 - kResolutionSlack)));
    const auto last = static_cast<std::int64_t>(std::floor(centre * (1 + kResolutionSlack)));
    // Binary search for the largest resolution whose cost does not exceed the target. The cost never decreases when the
    // resolution grows.
    std::int64_t fits = first - 1;
    for (std::int64_t over = last + 1; over - fits > 1;) {
      const std::int64_t middle = (fits + over) / 2;
      candidate.spec.resolution = middle;
      (cost(candidate.spec) <= target ? fits : over) = middle;
    }
    if (fits < first) continue;
    // Prefer a multiple of 4 if it still reaches the target.
    for (const std::int64_t resolution : {std::max(fits / kResolutionStep * kResolutionStep, first), fits}) {
      candidate.spec.resolution = candidate.resolution = resolution;
      const double reached = cost(candidate.spec);
      const double departure = std::abs(static_cast<double>(resolution) / centre - 1);
      const bool near = reached >= (1 - kTolerance) * target;
      const bool better = near ? departure < best_departure : std::isinf(best_departure) && reached > best_cost;
      if (better) {
        best = candidate;
        best.spec = scaled(base, candidate.depth, candidate.width, resolution);
        best_cost = reached;
        if (near) best_departure = departure;
      }
      if (near) break;
    }
  }
  return best;
}

}  // namespace effnet::arch
