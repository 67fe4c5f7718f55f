// Scales a network: by multipliers, by a rule (rules.h), or to a limit of its cost.
//
// Rounding, all in double precision:
//   width       f = w*C; n = max(8, 8*floor((f+4)/8)); n += 8 if n < 0.9*f   (official efficientnet_model.py:106)
//   depth       ceil(d*L)                                                  (official efficientnet_model.py:125),
//               or the nearest number if the spec says so (DepthRounding)
//   resolution  the multiple of 4 nearest to r*R, halves up: 4 is the greatest common divisor of all published sizes
//               (224 240 260 300 380 456 528 600 672 800), so it is the coarsest grid that contains all of them
// A multiplier of exactly 1 changes nothing, so that a hand-written network keeps its unusual widths.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "effnet/arch/rules.h"
#include "effnet/arch/spec.h"
#include "effnet/base/export.h"

namespace effnet::arch {

EFFNET_API std::int64_t round_width(double width, std::int64_t channels);
EFFNET_API std::int64_t round_repeats(double depth, std::int64_t repeats, DepthRounding rounding = DepthRounding::up);
EFFNET_API std::int64_t round_resolution(double pixels);

// The spec with its depth and width multiplied, and the given resolution in pixels. The depth of the later stages (from
// stage n/2 of n, counted from 0, rounded down) is also multiplied by `late_depth`. The name of the result contains the
// multipliers: "efficientnet_b0-d1.4-w1.2-r300". Throws Error(usage) if the spec is not scalable, a multiplier is not
// in (0, 100], or the result exceeds the ranges of an arch file.
EFFNET_API ArchSpec scaled(const ArchSpec& base, double depth, double width, std::int64_t resolution,
                           double late_depth = 1);

// The base with what the rule sets: its depth_rounding, and the scale_width of stem and head. scaled() makes the rule's
// network of it.
EFFNET_API ArchSpec prepared_for(const ArchSpec& base, const Rule& rule);

struct Scaling {
  std::optional<double> phi;  // empty if the multipliers were given individually
  double depth = 1;           // multipliers, not rounded
  double width = 1;
  double late_depth = 1;
  std::int64_t resolution = 0;
  ArchSpec spec;
  bool at_limit = false;  // found for a target: larger networks of the rule exceed the ranges of an arch file
};

// Scales by a rule.
EFFNET_API Scaling scaled_by(const ArchSpec& base, double phi, const RuleChoice& choice = {});

// The cost that a target limits: MACs, parameters, bytes or milliseconds. It must not decrease when the network grows.
using Cost = std::function<double(const ArchSpec&)>;

// Finds a scaling by the rule whose cost is at most `target`, and within 3 % of it if possible. Bisection gives phi. If
// the cost is then more than 3 % below the target, because depth and width are rounded, and the rule scales the
// resolution, then phi and resolution are searched nearby: the resolution may differ from the rule's by up to 6 %.
// Among the scalings within 3 % of the target, the one nearest to the rule's resolution is chosen. Empty if even the
// smallest network (phi = kSmallestPhi) costs more than the target.
EFFNET_API std::optional<Scaling> find_scaling(const ArchSpec& base, double target, const RuleChoice& choice,
                                               const Cost& cost);
// The same; throws Error(usage) with the smallest cost if the target cannot be reached.
EFFNET_API Scaling solve(const ArchSpec& base, double target, const RuleChoice& choice, const Cost& cost);

inline constexpr double kSmallestPhi = -20, kLargestPhi = 60;  // of a search
inline constexpr double kTargetTolerance = 0.03;               // docs/cli.md: a target is reached to within 3 %

}  // namespace effnet::arch
