#include "effnet/search/scale/scale_grid.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::search {
namespace {

// The coefficients 1, 1 + step, ... up to `most`, each rounded to the nearest double of its decimal number.
std::vector<double> values(double step, double most) {
  std::vector<double> list;
  for (int i = 0;; ++i) {
    const double value = std::round((1 + i * step) * 1e6) / 1e6;
    if (value > most + 1e-9) return list;
    list.push_back(value);
  }
}

void check(const GridOptions& options) {
  const auto require = [](const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high))
      throw usage_error("{}: out of range (got {}, expected {} to {})", name, value, low, high);
  };
  require("--step", options.step, 0.01, 1);
  require("--factor", options.factor, 1.1, 16);
  require("--tolerance", options.tolerance, 0.001, 0.5);
}

// The network as text without its name, which has the multipliers: equal for equal networks.
std::string structure(arch::ArchSpec spec) {
  spec.name = "candidate";
  return arch::print(spec);
}

}  // namespace

std::vector<GridPoint> scale_grid(const arch::ArchSpec& base, const arch::Cost& cost, const GridOptions& options) {
  check(options);
  const double base_cost = cost(base);
  const double most = options.factor * (1 + options.tolerance);
  const auto departure = [&](double factor) { return std::abs(factor / options.factor - 1); };
  std::map<std::string, GridPoint> different;
  std::optional<GridPoint> nearest;
  for (const double alpha : values(options.step, most)) {
    for (const double beta : values(options.step, std::sqrt(most))) {
      for (const double gamma : values(options.step, std::sqrt(most))) {
        GridPoint point{.coefficients = {alpha, beta, gamma}, .spec = {}, .factor = 1};
        const double wanted = point.coefficients.constraint() / options.factor;
        if (wanted < 1 / kGridSpread || wanted > kGridSpread) continue;
        point.spec = arch::scaled_by(base, 1, {.coefficients = point.coefficients}).spec;
        point.factor = cost(point.spec) / base_cost;
        if (!nearest || departure(point.factor) < departure(nearest->factor)) nearest = point;
        if (departure(point.factor) > options.tolerance) continue;
        const auto [other, added] = different.emplace(structure(point.spec), point);
        const auto ideal = [&](const GridPoint& one) { return departure(one.coefficients.constraint()); };
        if (!added && ideal(point) < ideal(other->second)) other->second = point;
      }
    }
  }
  if (different.empty()) {
    const std::string tried =
        fmt::format("alpha up to {:.4g}, beta and gamma up to {:.4g}, alpha*beta^2*gamma^2 from {:.4g} to {:.4g}", most,
                    std::sqrt(most), options.factor / kGridSpread, options.factor * kGridSpread);
    const std::string found =
        nearest ? fmt::format("nearest: {}, which gives {:.3f}", candidate_text(nearest->coefficients), nearest->factor)
                : "no point is in this range";
    throw input_error("no coefficients of the grid scale {} by {:g} within {:g} % (tried {}; {})", base.name,
                      options.factor, 100 * options.tolerance, tried, found)
        .with_hint("a smaller --step or a larger --tolerance gives more candidates, a smaller --factor nearer ones");
  }
  std::vector<GridPoint> points;
  points.reserve(different.size());
  for (auto& [text, point] : different) points.push_back(std::move(point));
  std::ranges::sort(points, [](const GridPoint& a, const GridPoint& b) {
    const auto key = [](const GridPoint& one) {
      return std::tuple(one.coefficients.alpha, one.coefficients.beta, one.coefficients.gamma);
    };
    return key(a) < key(b);
  });
  return points;
}

std::string candidate_text(const arch::Coefficients& c) {
  return fmt::format("alpha={} beta={} gamma={}", c.alpha, c.beta, c.gamma);
}

arch::Coefficients parse_candidate(std::string_view text) {
  arch::Coefficients c;
  std::string_view rest = text;
  for (const auto& [name, value] :
       {std::pair<std::string_view, double*>{"alpha=", &c.alpha}, {" beta=", &c.beta}, {" gamma=", &c.gamma}}) {
    const char* const begin = rest.data() + name.size();
    const char* const end = rest.data() + rest.size();
    if (rest.starts_with(name)) {
      if (const auto [next, error] = std::from_chars(begin, end, *value); error == std::errc()) {
        rest = std::string_view(next, static_cast<std::size_t>(end - next));
        continue;
      }
    }
    throw input_error("not a candidate (got {}, expected a text such as 'alpha=1.2 beta=1.1 gamma=1.15')",
                      in_quotes(text));
  }
  if (!rest.empty()) throw input_error("not a candidate (got {} after the coefficients)", in_quotes(rest));
  return c;
}

}  // namespace effnet::search
