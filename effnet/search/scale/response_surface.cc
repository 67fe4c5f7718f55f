#include "effnet/search/scale/response_surface.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/search/control/percentiles.h"

namespace effnet::search {
namespace {

constexpr std::size_t kTerms = 6;
constexpr int kGrid = 200;  // steps of a share in the search of the maximum
using Terms = std::array<double, kTerms>;

struct Shares {
  double depth = 0, width = 0;
};

Shares shares_of(const arch::Coefficients& c) {
  const double depth = std::log(c.alpha), width = 2 * std::log(c.beta), resolution = 2 * std::log(c.gamma);
  const double sum = depth + width + resolution;
  return sum > 0 ? Shares{depth / sum, width / sum} : Shares{};
}

Terms terms_at(const Shares& at) {
  return {1, at.depth, at.width, at.depth * at.depth, at.depth * at.width, at.width * at.width};
}

double value_at(const Terms& c, const Shares& at) {
  const Terms terms = terms_at(at);
  double sum = 0;
  for (std::size_t i = 0; i < kTerms; ++i) sum += c[i] * terms[i];
  return sum;
}

// Solves the normal equations of the rows by Cholesky decomposition. Empty if they are singular.
std::optional<Terms> least_squares(const std::vector<Terms>& rows, const std::vector<double>& scores) {
  std::array<Terms, kTerms> a{};
  Terms b{};
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < kTerms; ++i) {
      b[i] += rows[row][i] * scores[row];
      for (std::size_t j = 0; j < kTerms; ++j) a[i][j] += rows[row][i] * rows[row][j];
    }
  }
  for (std::size_t i = 0; i < kTerms; ++i) {  // a becomes L with L L^T = a
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      if (i != j) {
        a[i][j] = sum / a[j][j];
        continue;
      }
      // A pivot near 0 beside the diagonal element means that the terms are linearly dependent.
      if (sum <= 1e-10 * std::max(a[i][i], 1e-300)) return std::nullopt;
      a[i][i] = std::sqrt(sum);
    }
  }
  for (std::size_t i = 0; i < kTerms; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  for (std::size_t i = kTerms; i-- > 0;) {
    for (std::size_t k = i + 1; k < kTerms; ++k) b[i] -= a[k][i] * b[k];
    b[i] /= a[i][i];
  }
  return b;
}

Shares maximum_of(const Terms& c) {
  Shares best;
  double most = -INFINITY;
  for (int i = 0; i <= kGrid; ++i) {
    for (int j = 0; i + j <= kGrid; ++j) {
      const Shares at{static_cast<double>(i) / kGrid, static_cast<double>(j) / kGrid};
      if (const double value = value_at(c, at); value > most) {
        most = value;
        best = at;
      }
    }
  }
  return best;
}

arch::Coefficients coefficients_at(const Shares& at, double factor) {
  return {std::pow(factor, at.depth), std::pow(factor, at.width / 2),
          std::pow(factor, std::max(0.0, 1 - at.depth - at.width) / 2)};
}

// Fits samples of the observations, drawn with replacement, and stores the spread of their maxima.
void bootstrap(const std::vector<Terms>& rows, const std::vector<double>& scores, double factor, std::uint64_t seed,
               ResponseSurface& surface) {
  constexpr std::uint64_t kSamples = 1000;
  const auto n = static_cast<std::uint64_t>(rows.size());
  const Philox random(seed, stream_of("response surface"));
  std::array<std::vector<double>, 3> found;
  for (std::uint64_t sample = 0; sample < kSamples; ++sample) {
    std::vector<Terms> drawn;
    std::vector<double> drawn_scores;
    for (std::uint64_t i = 0; i < n; ++i) {
      const auto row = static_cast<std::size_t>(random.block(sample * n + i)[0] % n);
      drawn.push_back(rows[row]);
      drawn_scores.push_back(scores[row]);
    }
    const std::optional<Terms> fitted = least_squares(drawn, drawn_scores);
    if (!fitted) continue;
    const arch::Coefficients best = coefficients_at(maximum_of(*fitted), factor);
    found[0].push_back(best.alpha);
    found[1].push_back(best.beta);
    found[2].push_back(best.gamma);
  }
  if (found[0].empty()) return;
  surface.alpha = percentiles_95(std::move(found[0]));
  surface.beta = percentiles_95(std::move(found[1]));
  surface.gamma = percentiles_95(std::move(found[2]));
}

}  // namespace

std::optional<ResponseSurface> fit_response_surface(const std::vector<Observation>& observations, double factor,
                                                    std::uint64_t seed) {
  EFFNET_CHECK(factor > 1);
  if (observations.size() <= kTerms) return std::nullopt;
  std::vector<Terms> rows;
  std::vector<double> scores;
  for (const Observation& one : observations) {
    rows.push_back(terms_at(shares_of(one.coefficients)));
    scores.push_back(one.score);
  }
  const std::optional<Terms> fitted = least_squares(rows, scores);
  if (!fitted) return std::nullopt;
  ResponseSurface surface;
  surface.c = *fitted;
  double squares = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double residual = scores[i] - value_at(*fitted, shares_of(observations[i].coefficients));
    squares += residual * residual;
  }
  surface.deviation = std::sqrt(squares / static_cast<double>(rows.size() - kTerms));
  const Shares best = maximum_of(*fitted);
  surface.best = coefficients_at(best, factor);
  surface.best_score = value_at(*fitted, best);
  bootstrap(rows, scores, factor, seed, surface);
  return surface;
}

}  // namespace effnet::search
