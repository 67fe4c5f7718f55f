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
constexpr double kResolutionSlack = 0.06;  // docs/cli.md: the resolution is within 6 % of the rule's

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

Multipliers multipliers(const ArchSpec& base, double phi, const RuleChoice& choice) {
  return choice.rule->multipliers({phi, choice.coefficients, choice.dimensions, static_cast<double>(base.resolution)});
}

bool scales_resolution(const RuleChoice& choice) {
  return choice.rule->scales_resolution && (!choice.rule->has_dimensions || choice.dimensions.resolution);
}

}  // namespace

std::int64_t round_width(double width, std::int64_t channels) {
  if (width == 1) return channels;
  const double wanted = width * static_cast<double>(channels);
  double rounded = std::max(8.0, std::floor((wanted + 4) / 8) * 8);
  if (rounded < 0.9 * wanted) rounded += 8;
  return static_cast<std::int64_t>(bounded("channels", rounded, kChannels));
}

std::int64_t round_repeats(double depth, std::int64_t repeats, DepthRounding rounding) {
  const double wanted = depth * static_cast<double>(repeats);
  const double rounded = rounding == DepthRounding::up ? std::ceil(wanted) : std::max(1.0, std::floor(wanted + 0.5));
  return static_cast<std::int64_t>(bounded("repeats", rounded, kRepeats));
}

std::int64_t round_resolution(double pixels) {
  const double step = kResolutionStep;
  const double rounded = std::max(step, std::floor(pixels / step + 0.5) * step);
  return static_cast<std::int64_t>(bounded("resolution", rounded, kResolution));
}

ArchSpec scaled(const ArchSpec& base, double depth, double width, std::int64_t resolution, double late_depth) {
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
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    StageSpec& stage = spec.stages[i];
    stage.channels = round_width(width, stage.channels);
    const double deeper = i < spec.stages.size() / 2 ? depth : depth * late_depth;
    if (stage.scale_depth) stage.repeats = round_repeats(deeper, stage.repeats, spec.depth_rounding);
  }
  if (spec.head.scale_width && spec.head.channels > 0) {
    spec.head.channels = std::max(round_width(width, base.head.channels), base.head.min_channels);
  }
  if (depth != 1 || width != 1 || resolution != base.resolution || late_depth != 1) {
    spec.name = fmt::format("{}-d{:g}-w{:g}-r{}", base.name, depth, width, resolution);
    if (late_depth != 1) spec.name += fmt::format("-l{:g}", late_depth);
  }
  return spec;
}

ArchSpec prepared_for(const ArchSpec& base, const Rule& rule) {
  ArchSpec spec = base;
  spec.stem.scale_width = base.stem.scale_width && !rule.keeps_stem_and_head;
  spec.head.scale_width = base.head.scale_width && !rule.keeps_stem_and_head;
  spec.depth_rounding = rule.rounding.value_or(base.depth_rounding);
  return spec;
}

Scaling scaled_by(const ArchSpec& base, double phi, const RuleChoice& choice) {
  const Multipliers by = multipliers(base, phi, choice);
  Scaling result{.phi = phi,
                 .depth = by.depth,
                 .width = by.width,
                 .late_depth = by.late_depth,
                 .resolution = base.resolution,
                 .spec = {}};
  if (by.resolution != 1) result.resolution = round_resolution(by.resolution * static_cast<double>(base.resolution));
  result.spec =
      scaled(prepared_for(base, *choice.rule), result.depth, result.width, result.resolution, result.late_depth);
  return result;
}

namespace {

struct Bisected {
  double phi = 0;
  bool at_limit = false;  // a larger phi exceeds the ranges of an arch file
};

// The largest phi whose network costs at most `target`, to within 1e-6. Requires that the smallest network does.
Bisected bisect(const ArchSpec& base, double target, const RuleChoice& choice, const Cost& cost) {
  // If the scaled network exceeds the ranges of an arch file, its cost counts as infinite.
  const auto cost_at = [&](double phi) {
    try {
      return cost(scaled_by(base, phi, choice).spec);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) throw;
      return std::numeric_limits<double>::infinity();
    }
  };
  double low = kSmallestPhi;
  double high = kLargestPhi;
  bool at_limit = true;  // also beyond the largest phi
  while (high - low > 1e-6) {
    const double middle = (low + high) / 2;
    const double reached = cost_at(middle);
    if (reached > target) at_limit = std::isinf(reached);
    (reached <= target ? low : high) = middle;
  }
  return {.phi = low, .at_limit = at_limit};
}

// The resolutions near the one that the rule gives for phi.
struct ResolutionRange {
  double centre = 0;  // the rule's resolution, not rounded
  std::int64_t first = 0, last = 0;
};
ResolutionRange resolutions_near(const ArchSpec& base, double phi, const RuleChoice& choice) {
  ResolutionRange range;
  range.centre = multipliers(base, phi, choice).resolution * static_cast<double>(base.resolution);
  range.first = static_cast<std::int64_t>(std::ceil(range.centre * (1 - kResolutionSlack)));
  range.last = static_cast<std::int64_t>(std::floor(range.centre * (1 + kResolutionSlack)));
  // With a cap, a resolution may be above the rule's only up to the cap. If the rule's own is above the cap, because
  // that of the base is, it is the limit.
  const std::int64_t cap = choice.rule->most_px;
  const auto own = static_cast<std::int64_t>(std::floor(range.centre));
  range.last = std::min(range.last, cap > 0 ? std::max(cap, own) : kResolution.high);
  return range;
}

// The largest resolution of the range whose cost does not exceed the target, by binary search: the cost never decreases
// when the resolution grows. first - 1 if there is none.
std::int64_t largest_resolution(ArchSpec spec, const ResolutionRange& range, double target, const Cost& cost) {
  std::int64_t fits = range.first - 1;
  for (std::int64_t over = range.last + 1; over - fits > 1;) {
    const std::int64_t middle = (fits + over) / 2;
    spec.resolution = middle;
    (cost(spec) <= target ? fits : over) = middle;
  }
  return fits;
}

}  // namespace

std::optional<Scaling> find_scaling(const ArchSpec& base, double target, const RuleChoice& choice, const Cost& cost) {
  // Throws before the search if the network cannot be scaled.
  if (cost(scaled_by(base, kSmallestPhi, choice).spec) > target) return {};
  const auto [bisected, at_limit] = bisect(base, target, choice, cost);
  Scaling best = scaled_by(base, bisected, choice);
  best.at_limit = at_limit;
  double best_cost = cost(best.spec);
  const double near_enough = (1 - kTargetTolerance) * target;
  if (best_cost >= near_enough || !scales_resolution(choice)) return best;
  // Nothing nearby costs more than the square of the resolution allows. The search would take 9 s, because the networks
  // at the limit are large.
  constexpr double kMostByResolution = (1 + kResolutionSlack) * (1 + kResolutionSlack);
  if (at_limit && kMostByResolution * best_cost < near_enough) return best;

  // Depth and width are rounded, so the cost grows in steps, and the next step would exceed the target. This loop
  // searches nearby values of phi, each with resolutions that may differ from the rule's.
  double best_departure = INFINITY;
  // A change of 6 % in resolution is 12 % in MACs, which is 0.18 in phi. Small networks have larger steps, so phi is
  // searched 0.6 on both sides.
  constexpr int kSteps = 120;
  constexpr double kStep = 0.005;
  for (int step = kSteps; step > -kSteps; --step) {
    const double phi = bisected + step * kStep;
    Scaling candidate;
    try {
      candidate = scaled_by(base, phi, choice);
    } catch (const Error&) {
      continue;  // the network is out of range: it costs more than any target
    }
    const ResolutionRange range = resolutions_near(base, phi, choice);
    const std::int64_t fits = largest_resolution(candidate.spec, range, target, cost);
    if (fits < range.first) continue;
    // Prefer a multiple of 4 if it still reaches the target.
    for (const std::int64_t resolution : {std::max(fits / kResolutionStep * kResolutionStep, range.first), fits}) {
      candidate.spec.resolution = candidate.resolution = resolution;
      const double reached = cost(candidate.spec);
      const double departure = std::abs(static_cast<double>(resolution) / range.centre - 1);
      const bool near = reached >= near_enough;
      const bool better = near ? departure < best_departure : std::isinf(best_departure) && reached > best_cost;
      if (better) {
        best = candidate;
        best.at_limit = at_limit;
        best.spec = scaled(prepared_for(base, *choice.rule), candidate.depth, candidate.width, resolution,
                           candidate.late_depth);
        best_cost = reached;
        if (near) best_departure = departure;
      }
      if (near) break;
    }
  }
  return best;
}

Scaling solve(const ArchSpec& base, double target, const RuleChoice& choice, const Cost& cost) {
  if (std::optional<Scaling> found = find_scaling(base, target, choice, cost)) return *std::move(found);
  throw usage_error(
      "the target cannot be reached (got {:g}, expected at least {:g}: the cost of the smallest scaled {})", target,
      cost(scaled_by(base, kSmallestPhi, choice).spec), base.name);
}

}  // namespace effnet::arch
