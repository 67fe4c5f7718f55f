// The candidates of the paper's step 1 (Tan & Le 2019, section 4): coefficients alpha, beta, gamma of at least 1 for
// which phi = 1 costs about twice as much as the base.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/scaling.h"

namespace effnet::search {

struct GridOptions {
  double step = 0.05;      // of alpha, beta and gamma
  double factor = 2;       // the cost of phi = 1 / the cost of the base
  double tolerance = 0.1;  // of the factor, relative: 0.1 accepts 1.8 to 2.2
};

// The grid has the points with alpha up to factor * (1 + tolerance), beta and gamma up to the square root of that, and
// alpha * beta^2 * gamma^2 within this factor of `factor`: rounding, and layers whose cost grows less, change the cost
// of a network of practical size by less than that.
inline constexpr double kGridSpread = 1.5;

// One candidate: the coefficients, and the network that they make of the base with phi = 1.
struct GridPoint {
  arch::Coefficients coefficients;
  arch::ArchSpec spec;
  double factor = 1;  // cost(spec) / cost(base), of the rounded network
};

// All points of the grid whose network costs `factor` times the base, within the tolerance. The grid is chosen by the
// cost of the rounded network, not by alpha * beta^2 * gamma^2: at 16 px a resolution is rounded by up to 12 %, and
// networks of very different cost cannot be compared. If several points give the same network, the one whose
// alpha * beta^2 * gamma^2 is nearest to `factor` stays. Sorted by alpha, beta, gamma.
// Throws Error(usage) for an option that is out of range or a base that cannot be scaled, and Error(input) if no point
// fits; the message has what was tried, and the nearest point of it.
std::vector<GridPoint> scale_grid(const arch::ArchSpec& base, const arch::Cost& cost, const GridOptions& options);

// "alpha=1.2 beta=1.1 gamma=1.15": the text of a trial's candidate. Reads back exactly.
std::string candidate_text(const arch::Coefficients& coefficients);
arch::Coefficients parse_candidate(std::string_view text);  // Error(input)

}  // namespace effnet::search
