// Compound scaling (Tan & Le 2019, section 3.3): depth d = alpha^phi, width w = beta^phi, resolution r = gamma^phi.
//
// Rounding, all in double precision:
//   width       f = w*C; n = max(8, 8*floor((f+4)/8)); n += 8 if n < 0.9*f   (official efficientnet_model.py:106)
//   depth       ceil(d*L)                                                  (official efficientnet_model.py:125)
//   resolution  the multiple of 4 nearest to r*R, halves up: 4 is the greatest common divisor of all published sizes
//               (224 240 260 300 380 456 528 600 672 800), so it is the coarsest grid that contains all of them
// A multiplier of exactly 1 changes nothing, so that a hand-written network keeps its unusual widths.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"

namespace effnet::arch {

EFFNET_API std::int64_t round_width(double width, std::int64_t channels);
EFFNET_API std::int64_t round_repeats(double depth, std::int64_t repeats);
EFFNET_API std::int64_t round_resolution(double pixels);

// The spec with its depth and width multiplied, and the given resolution in pixels. The name of the result contains the
// multipliers: "efficientnet_b0-d1.4-w1.2-r300". Throws Error(usage) if the spec is not scalable, a multiplier is not
// in (0, 100], or the result exceeds the ranges of an arch file.
EFFNET_API ArchSpec scaled(const ArchSpec& base, double depth, double width, std::int64_t resolution);

struct Coefficients {  // defaults: the paper's grid search on B0 (section 4, step 1)
  double alpha = 1.2;
  double beta = 1.1;
  double gamma = 1.15;
  double constraint() const { return alpha * beta * beta * gamma * gamma; }  // about 2: the cost grows by 2^phi
};

struct Dimensions {  // which dimensions phi scales
  bool depth = true;
  bool width = true;
  bool resolution = true;
};

struct Scaling {
  std::optional<double> phi;  // empty if the multipliers were given individually
  double depth = 1;           // multipliers, not rounded
  double width = 1;
  std::int64_t resolution = 0;
  ArchSpec spec;
};

EFFNET_API Scaling compound(const ArchSpec& base, double phi, const Coefficients& coefficients, Dimensions dimensions);

// The cost that a target limits: MACs, parameters, bytes or milliseconds. It must not decrease when the network grows.
using Cost = std::function<double(const ArchSpec&)>;

// Finds a scaling whose cost is at most `target`, and within 3 % of it if possible. Bisection gives phi. If the cost is
// then more than 3 % below the target, because depth and width are rounded, phi and resolution are searched nearby: the
// resolution may differ from gamma^phi by up to 6 %. Among the scalings within 3 % of the target, the one nearest to
// gamma^phi is chosen. Throws Error(usage) if even the smallest network (phi = -20) costs more than the target.
EFFNET_API Scaling solve(const ArchSpec& base, double target, const Coefficients& coefficients, Dimensions dimensions,
                         const Cost& cost);

}  // namespace effnet::arch
