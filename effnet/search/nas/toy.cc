#include "effnet/search/nas/toy.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"

namespace effnet::search {
namespace {

constexpr double kPairWeight = 0.5;
constexpr int kMostPoints = 100'000;

std::vector<double> draw_table(std::uint64_t seed, std::size_t choice, std::string_view purpose, std::size_t size,
                               double weight) {
  Draws draws({seed, 0, choice}, purpose);
  std::vector<double> table(size);
  for (double& value : table) value = weight * draws.uniform();
  return table;
}

// For each option of each choice: the best sum of its value and the values of the choices after it.
template <class IsBetter>
std::vector<std::vector<double>> best_sums(const std::vector<std::vector<double>>& values,
                                           const std::vector<std::vector<double>>& pairs, IsBetter is_better) {
  std::vector<std::vector<double>> sums = values;
  for (std::size_t choice = values.size() - 1; choice-- > 0;) {
    const std::vector<double>& next = sums[choice + 1];
    for (std::size_t option = 0; option < values[choice].size(); ++option) {
      double best = 0;
      for (std::size_t after = 0; after < next.size(); ++after) {
        const double sum = pairs[choice + 1][option * next.size() + after] + next[after];
        if (after == 0 || is_better(sum, best)) best = sum;
      }
      sums[choice][option] += best;
    }
  }
  return sums;
}

class ToyEvaluator final : public Evaluator {
 public:
  ToyEvaluator(const Space& space, std::uint64_t seed) : problem_(space, seed) {}
  Quality evaluate(const arch::ArchSpec& /*spec*/, const Point& point, const Trial& /*trial*/) override {
    return {problem_.quality(point), "{}"};
  }

 private:
  ToyProblem problem_;
};

}  // namespace

ToyProblem::ToyProblem(Space space, std::uint64_t seed) : space_(std::move(space)) {
  EFFNET_CHECK(!space_.choices.empty());
  for (std::size_t choice = 0; choice < space_.choices.size(); ++choice) {
    const std::size_t options = space_.choices[choice].options.size();
    const std::size_t before = choice == 0 ? 0 : space_.choices[choice - 1].options.size();
    values_.push_back(draw_table(seed, choice, "toy value", options, 1));
    pairs_.push_back(draw_table(seed, choice, "toy pair", before * options, kPairWeight));
  }
  largest_after_ = best_sums(values_, pairs_, std::greater<>());
  largest_ = *std::ranges::max_element(largest_after_.front());
  smallest_ = *std::ranges::min_element(best_sums(values_, pairs_, std::less<>()).front());
}

double ToyProblem::sum_of(const Point& point) const {
  double sum = 0;
  for (std::size_t i = 0; i < point.size(); ++i) {
    const auto option = static_cast<std::size_t>(point[i]);
    sum += values_[i][option];
    if (i > 0) sum += pairs_[i][static_cast<std::size_t>(point[i - 1]) * values_[i].size() + option];
  }
  return sum;
}

double ToyProblem::quality(const Point& point) const {
  if (largest_ <= smallest_) return 1;  // all values are equal
  // The sums of dynamic programming are added in another order, so they can differ in the last bits.
  return std::clamp((sum_of(canonical(space_, point)) - smallest_) / (largest_ - smallest_), 0.0, 1.0);
}

// Visits points from the largest sum to the smallest, until one is canonical: best-first search over prefixes (the
// options of the first choices). The priority of a prefix is the largest sum of all points that begin with it.
ToyProblem::Optimum ToyProblem::optimum() const {
  std::priority_queue<std::pair<double, Point>> prefixes;
  const auto add_longer = [&](const Point& prefix) {
    const std::size_t choice = prefix.size();
    for (int option = 0; option < std::ssize(space_.choices[choice].options); ++option) {
      Point longer = prefix;
      longer.push_back(option);
      const auto index = static_cast<std::size_t>(option);
      const double priority = sum_of(longer) - values_[choice][index] + largest_after_[choice][index];
      prefixes.emplace(priority, std::move(longer));
    }
  };
  add_longer({});
  for (int points = 0; points < kMostPoints && !prefixes.empty();) {
    const Point prefix = prefixes.top().second;
    prefixes.pop();
    if (prefix.size() < space_.choices.size()) {
      add_longer(prefix);
      continue;
    }
    if (canonical(space_, prefix) == prefix) return {prefix, quality(prefix)};
    ++points;
  }
  throw input_error("toy problem: no best network found (got {} points that are not canonical, expected fewer)",
                    kMostPoints);
}

ToyProblem::Optimum toy_optimum(const Space& space, std::uint64_t seed) { return ToyProblem(space, seed).optimum(); }

std::unique_ptr<Evaluator> make_toy_evaluator(const Space& space, const EvaluatorSettings& settings) {
  return std::make_unique<ToyEvaluator>(space, settings.seed);
}

}  // namespace effnet::search
