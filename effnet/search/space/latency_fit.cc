#include <algorithm>
#include <cmath>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/space/latency_table.h"
#include "effnet/search/space/least_squares.h"
#include "effnet/search/space/network_parts.h"
#include "effnet/search/space/part_work.h"

namespace effnet::search {
namespace {

constexpr std::int64_t kFewestToCheck = 10;

// Weights of the deviations in the two steps of the fit. The coefficients of the work are few, so that a very small
// weight decides about those only that the measurements do not separate. A measurement deviates from the sum of its
// parts by about 1 %, and a part from its estimate by about 20 %: the ridge is the square of their ratio.
constexpr double kCoefficientRidge = 1e-4, kPartRidge = 0.0025;

// The parts of the measured networks: their names and work by index, and how often each network has which part.
struct Parts {
  std::vector<std::string> names;
  std::vector<PartWork> work;
  std::vector<std::vector<Term>> networks;
};

Parts collect_parts(std::span<const TimedNetwork> fit) {
  Parts parts;
  parts.networks.reserve(fit.size());
  std::map<std::string, std::size_t> known;
  for (const TimedNetwork& network : fit) {
    const std::vector<std::string> names = parts_of(network.spec);
    const std::vector<PartWork> work = work_of_parts(network.spec);
    EFFNET_CHECK(names.size() == work.size());
    std::vector<Term>& terms = parts.networks.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto [found, is_new] = known.try_emplace(names[i], known.size());
      if (is_new) {
        parts.names.push_back(names[i]);
        parts.work.push_back(work[i]);
      }
      if (!terms.empty() && terms.back().unknown == found->second) {
        ++terms.back().factor;  // blocks of a stage follow each other
      } else {
        terms.push_back({found->second, 1});
      }
    }
  }
  return parts;
}

// The first step: the time of each part as a linear function of its work.
std::vector<double> estimated_ms(const Parts& parts, std::span<const TimedNetwork> fit) {
  // The work of each network, divided by its time: the errors to be minimised are relative.
  std::vector<PartWork> rows(fit.size());
  PartWork mean{};
  for (std::size_t n = 0; n < fit.size(); ++n) {
    for (const Term& term : parts.networks[n]) {
      for (std::size_t k = 0; k < kWorkKinds; ++k) rows[n][k] += term.factor * parts.work[term.unknown][k] / fit[n].ms;
    }
    for (std::size_t k = 0; k < kWorkKinds; ++k) mean[k] += rows[n][k] / static_cast<double>(fit.size());
  }
  // The unknowns are the coefficients times the mean work, so that all of them have the same scale.
  LeastSquares problem{.equations = {},
                       .expected = std::vector<double>(kWorkKinds, 1.0 / kWorkKinds),
                       .ridge = kCoefficientRidge * static_cast<double>(fit.size())};
  problem.equations.reserve(fit.size());
  for (const PartWork& row : rows) {
    Equation& equation = problem.equations.emplace_back();
    equation.value = 1;
    for (std::size_t k = 0; k < kWorkKinds; ++k) {
      if (mean[k] > 0) equation.terms.push_back({k, row[k] / mean[k]});
    }
  }
  const std::vector<double> found = solve_nonnegative(problem);
  std::vector<double> ms(parts.work.size());
  for (std::size_t p = 0; p < ms.size(); ++p) {
    for (std::size_t k = 0; k < kWorkKinds; ++k) {
      if (mean[k] > 0) ms[p] += found[k] / mean[k] * parts.work[p][k];
    }
  }
  // The second step multiplies the estimates, so that none may be 0.
  constexpr double kSmallest = 0.01;  // of the mean
  const double least = kSmallest * std::accumulate(ms.begin(), ms.end(), 0.0) / static_cast<double>(ms.size());
  for (double& one : ms) one = std::max(one, least);
  return ms;
}

// The second step: a factor for each estimate.
std::vector<double> fitted_ms(const Parts& parts, std::span<const TimedNetwork> fit) {
  std::vector<double> ms = estimated_ms(parts, fit);
  LeastSquares problem{.equations = {}, .expected = std::vector<double>(ms.size(), 1), .ridge = kPartRidge};
  problem.equations.reserve(fit.size());
  for (std::size_t n = 0; n < fit.size(); ++n) {
    Equation& equation = problem.equations.emplace_back(Equation{parts.networks[n], 1});
    for (Term& term : equation.terms) term.factor *= ms[term.unknown] / fit[n].ms;
  }
  const std::vector<double> factors = solve_nonnegative(problem);
  for (std::size_t p = 0; p < ms.size(); ++p) ms[p] *= factors[p];
  return ms;
}

}  // namespace

std::int64_t networks_to_check(std::int64_t networks) { return std::max(kFewestToCheck, networks / 10); }

LatencyTable fit_latency(std::span<const TimedNetwork> fit, std::span<const TimedNetwork> check) {
  if (fit.empty()) throw input_error("no measured networks (expected at least one)");
  for (const std::span<const TimedNetwork> networks : {fit, check}) {
    for (const TimedNetwork& one : networks) {
      if (std::isfinite(one.ms) && one.ms > 0) continue;
      throw input_error("{}: wrong time (got {} ms, expected a number above 0)", one_line(one.spec.name), one.ms);
    }
  }
  const Parts parts = collect_parts(fit);
  const std::vector<double> ms = fitted_ms(parts, fit);
  LatencyTable table{.machine = {}, .networks = std::ssize(fit), .checked = std::ssize(check), .parts_ms = {}};
  for (std::size_t p = 0; p < ms.size(); ++p) table.parts_ms.emplace(parts.names[p], ms[p]);
  for (const TimedNetwork& one : check) {
    const double error = std::abs(predict_ms(table, one.spec) / one.ms - 1);
    table.error += error / static_cast<double>(check.size());
    table.worst_error = std::max(table.worst_error, error);
  }
  return table;
}

}  // namespace effnet::search
