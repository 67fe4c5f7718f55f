#include "effnet/transfer/label_errors.h"

#include <algorithm>

#include "effnet/base/error.h"

namespace effnet::transfer {
namespace {

// The mean probability of each class over the images that have it as label; 2, which no probability reaches, for a
// class without images.
std::vector<double> thresholds(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                               std::int64_t classes) {
  std::vector<double> sums(static_cast<std::size_t>(classes));
  std::vector<std::int64_t> count(static_cast<std::size_t>(classes));
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto label = static_cast<std::size_t>(labels[row]);
    sums[label] += probabilities[row * static_cast<std::size_t>(classes) + label];
    ++count[label];
  }
  for (std::size_t k = 0; k < sums.size(); ++k) sums[k] = count[k] == 0 ? 2 : sums[k] / static_cast<double>(count[k]);
  return sums;
}

}  // namespace

std::vector<LabelError> find_label_errors(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                          std::int64_t classes) {
  EFFNET_CHECK(classes > 0 && probabilities.size() == labels.size() * static_cast<std::size_t>(classes));
  const std::vector<double> threshold = thresholds(probabilities, labels, classes);
  std::vector<LabelError> errors;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const std::span<const float> of_row =
        probabilities.subspan(row * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes));
    LabelError error{.row = static_cast<std::int64_t>(row), .label = labels[row], .suggested = -1};
    error.label_probability = of_row[static_cast<std::size_t>(labels[row])];
    for (std::size_t k = 0; k < of_row.size(); ++k) {
      const double best = std::max(error.label_probability, error.suggested_probability);
      if (of_row[k] < threshold[k] || of_row[k] <= best) continue;
      error.suggested = static_cast<std::int64_t>(k);
      error.suggested_probability = of_row[k];
    }
    if (error.suggested >= 0) errors.push_back(error);
  }
  std::stable_sort(errors.begin(), errors.end(),
                   [](const LabelError& a, const LabelError& b) { return a.margin() > b.margin(); });
  return errors;
}

}  // namespace effnet::transfer
