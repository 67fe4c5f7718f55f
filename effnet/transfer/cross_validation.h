// Chooses the strength of a linear probe's regularisation by cross-validation, and keeps the probabilities that each
// image got from a probe that was trained without it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "effnet/layers/context.h"
#include "effnet/transfer/linear_probe.h"

namespace effnet::transfer {

// Returns the fold of each row, 0 .. folds - 1. The rows of a class are put in a random order, which depends on `seed`
// and the numbers of the rows only, and dealt to the folds in turn; each class begins at the fold where the previous
// class ended. So the folds have the same number of rows of each class, up to one. A class with fewer rows than folds
// is in as many folds as it has rows.
std::vector<int> stratified_folds(std::span<const std::int64_t> labels, std::int64_t classes, int folds,
                                  std::uint64_t seed);

// The result of one strength. All figures are of rows that the probe was not trained on.
struct Trial {
  double l2 = 0;
  double log_loss = 0;  // mean of -ln(probability of the label)
  double top1 = 0;      // fraction of the rows, 0..1
};

struct CrossValidation {
  std::vector<Trial> trials;  // from strong to weak; only those that were trained on all folds
  double l2 = 0;              // the strength with the lowest log loss; see rows_of_choice
  // rows x classes: the probabilities of each row, with this strength, from the probe that was trained on the other
  // folds.
  std::vector<float> probabilities;
};

struct CrossValidationOptions {
  int folds = 5;           // at most the number of rows of the largest class; at least 2
  std::uint64_t seed = 0;  // of the folds
  // The strengths to try, the largest first. Each fold trains one probe for each strength, in this order. A probe
  // starts at the weights of the previous one, which is faster. The fold ends when its log loss has risen twice in a
  // row.
  // A single strength is not compared with others.
  std::vector<double> grid = {1, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5};
  // With more rows, the strength is chosen on so many of them (but at least 10 for each class), evenly from each class.
  // It is then multiplied by the ratio of the numbers of rows: the loss is a mean over rows, so the same prior
  // distribution of the weights has a strength of 1 / rows.
  std::int64_t rows_of_choice = 10000;
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  // of the folds; begins again for all rows
};

// Throws Error(input) if no class has two rows, so that nothing could be left out. Throws Error(interrupted) after
// Ctrl-C. Memory: rows x classes floats for the result, and one fold's rows twice.
CrossValidation cross_validate(const layers::Context& context, const LabelledRows& data,
                               const CrossValidationOptions& options = {});

// The number of rows of the largest class.
std::int64_t largest_class(const LabelledRows& data);

// Replaces each row of logits by its probabilities (softmax).
void to_probabilities(std::span<float> logits, std::int64_t classes);

}  // namespace effnet::transfer
