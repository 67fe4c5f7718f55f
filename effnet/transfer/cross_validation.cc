#include "effnet/transfer/cross_validation.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"
#include "effnet/base/text.h"

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

// The results of one strength on the rows that have been scored.
struct Scores {
  double loss = 0;  // sum of the log losses
  std::int64_t right = 0, scored = 0;
};

// The smallest positive float32 has -ln = 103; a probability that was rounded to 0 counts as this much.
double log_loss(float probability) { return -std::log(std::max(double{probability}, 1e-45)); }

// Trains a probe on all rows except those of one fold.
class FoldProbe {
 public:
  FoldProbe(const layers::Context& context, const LabelledRows& data, const Fold& fold)
      : context_(context), data_(data), training_(context, data, fold.training) {
    const auto width = static_cast<std::size_t>(data.width);
    for (const std::int64_t row : fold.held_out) {
      const auto from = data.values.subspan(static_cast<std::size_t>(row) * width, width);
      held_out_.insert(held_out_.end(), from.begin(), from.end());
    }
  }

  // Returns rows x classes: the probabilities of the rows that were left out.
  std::vector<float> probabilities(double l2) {
    training_.fit(l2);
    std::vector<float> values = training_.probe().logits(context_, held_out_);
    to_probabilities(values, data_.classes);
    return values;
  }

 private:
  const layers::Context& context_;
  const LabelledRows& data_;
  ProbeTraining training_;
  std::vector<float> held_out_;
};

// Trains a probe of one fold with all strengths and scores the rows that were left out. `kept` (rows x classes, or
// empty) receives the probabilities of these rows.
void run_fold(FoldProbe probe, const LabelledRows& data, const Fold& fold, const std::vector<double>& grid,
              std::vector<Scores>& scores, std::span<float> kept) {
  const auto classes = static_cast<std::size_t>(data.classes);
  double previous = INFINITY;
  int risen = 0;
  for (std::size_t i = 0; i < grid.size() && risen < 2; ++i) {
    const std::vector<float> probabilities = probe.probabilities(grid[i]);
    double total = 0;
    for (std::size_t r = 0; r < fold.held_out.size(); ++r) {
      const auto label = static_cast<std::size_t>(data.labels[static_cast<std::size_t>(fold.held_out[r])]);
      const std::span<const float> row = std::span(probabilities).subspan(r * classes, classes);
      total += log_loss(row[label]);
      if (!kept.empty()) std::ranges::copy(row, &kept[static_cast<std::size_t>(fold.held_out[r]) * classes]);
      scores[i].right += std::ranges::max_element(row) - row.begin() == static_cast<std::ptrdiff_t>(label);
    }
    scores[i].loss += total;
    scores[i].scored += static_cast<std::int64_t>(fold.held_out.size());
    risen = total > previous ? risen + 1 : 0;
    previous = total;
  }
}

}  // namespace

std::vector<int> stratified_folds(std::span<const std::int64_t> labels, std::int64_t classes, int folds,
                                  std::uint64_t seed) {
  std::vector<std::tuple<std::int64_t, float, std::size_t>> rows;  // label, random order, number of the row
  for (std::size_t i = 0; i < labels.size(); ++i) {
    EFFNET_CHECK(labels[i] >= 0 && labels[i] < classes);
    rows.emplace_back(labels[i], Draws({.seed = seed, .sample = i}, "folds").uniform(), i);
  }
  std::sort(rows.begin(), rows.end());
  std::vector<int> fold_of(labels.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    fold_of[std::get<2>(rows[i])] = static_cast<int>(i % static_cast<std::size_t>(folds));
  return fold_of;
}

std::int64_t largest_class(const LabelledRows& data) {
  std::vector<std::int64_t> count(static_cast<std::size_t>(data.classes));
  for (const std::int64_t label : data.labels) ++count[static_cast<std::size_t>(label)];
  return count.empty() ? 0 : std::ranges::max(count);
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

namespace {

// Copies the rows of one of `parts` parts that are equally large in each class.
struct SomeRows {
  std::vector<float> values;
  std::vector<std::int64_t> labels;

  SomeRows(const LabelledRows& data, std::int64_t parts, std::uint64_t seed) {
    const std::vector<int> part_of = stratified_folds(data.labels, data.classes, static_cast<int>(parts), seed);
    const auto width = static_cast<std::size_t>(data.width);
    for (std::size_t i = 0; i < part_of.size(); ++i) {
      if (part_of[i] != 0) continue;
      labels.push_back(data.labels[i]);
      const auto row = data.values.subspan(i * width, width);
      values.insert(values.end(), row.begin(), row.end());
    }
  }
};

// The results of all folds for all strengths, and the probabilities of each row if there is a single strength.
CrossValidation run_folds(const layers::Context& context, const LabelledRows& data, const std::vector<Fold>& parts,
                          const std::vector<double>& grid, const std::function<void()>& finished) {
  std::vector<Scores> scores(grid.size());
  CrossValidation result;
  if (grid.size() == 1) result.probabilities.resize(static_cast<std::size_t>(data.rows() * data.classes));
  for (const Fold& fold : parts) {
    run_fold(FoldProbe(context, data, fold), data, fold, grid, scores, result.probabilities);
    finished();
  }
  std::size_t best = 0;
  const auto n = static_cast<double>(data.rows());
  for (std::size_t i = 0; i < scores.size() && scores[i].scored == data.rows(); ++i) {
    result.trials.push_back({grid[i], scores[i].loss / n, static_cast<double>(scores[i].right) / n});
    if (result.trials[i].log_loss < result.trials[best].log_loss) best = i;
  }
  result.l2 = grid[best];
  return result;
}

}  // namespace

CrossValidation cross_validate(const layers::Context& context, const LabelledRows& data,
                               const CrossValidationOptions& options) {
  const std::int64_t largest = largest_class(data);
  if (largest < 2) {
    throw input_error(
        "cross-validation leaves out images of each class (got at most {} per class, expected at least 2)",
        count_of(largest, "image"))
        .with_hint("add images, or a val/ or test/ folder to measure on");
  }
  const int folds = static_cast<int>(std::clamp<std::int64_t>(options.folds, 2, largest));
  std::vector<Fold> parts = split(stratified_folds(data.labels, data.classes, folds, options.seed), folds);
  std::erase_if(parts, [](const Fold& fold) { return fold.held_out.empty(); });
  constexpr std::int64_t kRowsPerClass = 10;
  const std::int64_t enough = std::max(options.rows_of_choice, kRowsPerClass * data.classes);
  const bool chooses = options.grid.size() > 1, on_few = data.rows() > enough;
  std::int64_t done = 0;
  const std::int64_t rounds = chooses && !on_few ? 2 : 1;  // the choice on few rows reports its own progress
  const auto finished = [&] {
    if (options.progress) options.progress(++done, rounds * std::ssize(parts));
  };
  if (!chooses) return run_folds(context, data, parts, options.grid, finished);

  CrossValidation chosen;
  if (on_few) {
    const SomeRows some(data, (data.rows() + enough - 1) / enough, options.seed);
    const LabelledRows few{some.values, some.labels, data.width, data.classes};
    CrossValidationOptions of_choice = options;
    of_choice.rows_of_choice = few.rows();
    chosen = cross_validate(context, few, of_choice);
    chosen.l2 *= static_cast<double>(few.rows()) / static_cast<double>(data.rows());
  } else {
    chosen = run_folds(context, data, parts, options.grid, finished);
  }
  // Trains again with this strength. Keeping the probabilities of all strengths would need ten times the memory.
  chosen.probabilities = run_folds(context, data, parts, {chosen.l2}, finished).probabilities;
  return chosen;
}

}  // namespace effnet::transfer
