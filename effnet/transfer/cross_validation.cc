#include "effnet/transfer/cross_validation.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"

namespace effnet::transfer {
namespace {

// The rows of one fold, and all other rows.
struct Fold {
  std::vector<std::int64_t> training, held_out;
};

std::vector<Fold> split(const std::vector<int>& fold_of, int folds) {
  std::vector<Fold> result(static_cast<std::size_t>(folds));
  for (std::size_t i = 0; i < fold_of.size(); ++i) {
    for (int fold = 0; fold < folds; ++fold) {
      Fold& one = result[static_cast<std::size_t>(fold)];
      (fold_of[i] == fold ? one.held_out : one.training).push_back(static_cast<std::int64_t>(i));
    }
  }
  return result;
}

std::int64_t largest_class(const LabelledRows& data) {
  std::vector<std::int64_t> count(static_cast<std::size_t>(data.classes));
  for (const std::int64_t label : data.labels) ++count[static_cast<std::size_t>(label)];
  return *std::max_element(count.begin(), count.end());
}

// The probabilities of all rows for each strength, and the log loss of each row.
struct Scores {
  std::vector<float> probabilities;  // rows x classes
  std::vector<double> losses;        // rows
  std::int64_t scored = 0;           // number of rows that have been scored
};

// The smallest positive float32 has -ln = 103; a probability that was rounded to 0 counts as this much.
double log_loss(float probability) { return -std::log(std::max(double{probability}, 1e-45)); }

// Trains a probe of one fold with all strengths and scores the rows that were left out.
void run_fold(const layers::Context& context, const LabelledRows& data, const Fold& fold,
              const std::vector<double>& grid, std::vector<Scores>& scores) {
  if (fold.held_out.empty()) return;
  const auto width = static_cast<std::size_t>(data.width), classes = static_cast<std::size_t>(data.classes);
  std::vector<float> held_out;
  for (const std::int64_t row : fold.held_out) {
    const auto from = data.values.subspan(static_cast<std::size_t>(row) * width, width);
    held_out.insert(held_out.end(), from.begin(), from.end());
  }
  ProbeTraining training(context, data, fold.training);
  double previous = INFINITY;
  int risen = 0;
  for (std::size_t i = 0; i < grid.size() && risen < 2; ++i) {
    training.fit(grid[i]);
    std::vector<float> probabilities = training.probe().logits(context, held_out);
    to_probabilities(probabilities, data.classes);
    double total = 0;
    for (std::size_t r = 0; r < fold.held_out.size(); ++r) {
      const auto row = static_cast<std::size_t>(fold.held_out[r]);
      std::copy_n(&probabilities[r * classes], classes, &scores[i].probabilities[row * classes]);
      scores[i].losses[row] = log_loss(probabilities[r * classes + static_cast<std::size_t>(data.labels[row])]);
      total += scores[i].losses[row];
    }
    scores[i].scored += static_cast<std::int64_t>(fold.held_out.size());
    risen = total > previous ? risen + 1 : 0;
    previous = total;
  }
}

Trial trial_of(const LabelledRows& data, double l2, const Scores& scores) {
  Trial trial{.l2 = l2};
  const auto classes = static_cast<std::size_t>(data.classes);
  const auto n = static_cast<double>(data.rows());
  for (std::size_t row = 0; row < scores.losses.size(); ++row) {
    const float* const begin = &scores.probabilities[row * classes];
    const bool right = std::max_element(begin, begin + classes) - begin == data.labels[row];
    trial.log_loss += scores.losses[row] / n;
    trial.top1 += right ? 1 / n : 0;
  }
  return trial;
}

}  // namespace

std::vector<int> stratified_folds(std::span<const std::int64_t> labels, std::int64_t classes, int folds,
                                  std::uint64_t seed) {
  struct Row {
    std::int64_t label;
    float order;
    std::size_t index;
    auto operator<=>(const Row&) const = default;
  };
  std::vector<Row> rows;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    EFFNET_CHECK(labels[i] >= 0 && labels[i] < classes);
    rows.push_back({labels[i], Draws({.seed = seed, .sample = i}, "folds").uniform(), i});
  }
  std::sort(rows.begin(), rows.end());
  std::vector<int> fold_of(labels.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    fold_of[rows[i].index] = static_cast<int>(i % static_cast<std::size_t>(folds));
  return fold_of;
}

void to_probabilities(std::span<float> logits, std::int64_t classes) {
  const auto width = static_cast<std::size_t>(classes);
  for (std::size_t begin = 0; begin < logits.size(); begin += width) {
    const std::span<float> row = logits.subspan(begin, width);
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float value : row) sum += std::exp(value - largest);
    for (float& value : row) value = static_cast<float>(std::exp(value - largest) / sum);
  }
}

CrossValidation cross_validate(const layers::Context& context, const LabelledRows& data,
                               const CrossValidationOptions& options) {
  const std::int64_t largest = data.labels.empty() ? 0 : largest_class(data);
  if (largest < 2) {
    throw input_error(
        "cross-validation leaves out images of each class (got at most {} image per class, expected at least 2)",
        largest);
  }
  const int folds = static_cast<int>(std::clamp<std::int64_t>(options.folds, 2, largest));
  const auto values = static_cast<std::size_t>(data.rows() * data.classes);
  std::vector<Scores> scores(options.grid.size());
  for (Scores& one : scores) one = {std::vector<float>(values), std::vector<double>(data.labels.size()), 0};
  std::int64_t done = 0;
  for (const Fold& fold : split(stratified_folds(data.labels, data.classes, folds, options.seed), folds)) {
    run_fold(context, data, fold, options.grid, scores);
    if (options.progress) options.progress(++done, folds);
  }

  CrossValidation result;
  std::size_t best = 0;
  for (std::size_t i = 0; i < scores.size() && scores[i].scored == data.rows(); ++i) {
    result.trials.push_back(trial_of(data, options.grid[i], scores[i]));
    if (result.trials[i].log_loss < result.trials[best].log_loss) best = i;
  }
  result.l2 = options.grid[best];
  result.probabilities = std::move(scores[best].probabilities);
  return result;
}

}  // namespace effnet::transfer
