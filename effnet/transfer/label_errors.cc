#include "effnet/transfer/label_errors.h"

#include <algorithm>
#include <cmath>

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

// The estimated number of wrong labels: the sum over all labels of images * confident for another class / confident.
double wrong_labels(std::span<const float> probabilities, std::span<const std::int64_t> labels, std::int64_t classes) {
  const std::vector<double> threshold = thresholds(probabilities, labels, classes);
  struct Counts {
    double images = 0, confident = 0, for_another = 0;
  };
  std::vector<Counts> counts(static_cast<std::size_t>(classes));
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const float* const of_row = probabilities.data() + row * static_cast<std::size_t>(classes);
    std::int64_t best = -1;
    for (std::int64_t k = 0; k < classes; ++k) {
      if (of_row[k] >= threshold[static_cast<std::size_t>(k)] && (best < 0 || of_row[k] > of_row[best])) best = k;
    }
    Counts& of_label = counts[static_cast<std::size_t>(labels[row])];
    of_label.images += 1;
    of_label.confident += best >= 0 ? 1 : 0;
    of_label.for_another += best >= 0 && best != labels[row] ? 1 : 0;
  }
  double sum = 0;
  for (const Counts& one : counts) sum += one.confident > 0 ? one.images * one.for_another / one.confident : 0;
  return sum;
}

}  // namespace

std::vector<LabelError> find_label_errors(std::span<const float> probabilities, std::span<const std::int64_t> labels,
                                          std::int64_t classes) {
  EFFNET_CHECK(classes > 0 && probabilities.size() == labels.size() * static_cast<std::size_t>(classes));
  std::vector<LabelError> errors;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const std::span<const float> of_row =
        probabilities.subspan(row * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes));
    const auto best = std::max_element(of_row.begin(), of_row.end());
    const float of_label = of_row[static_cast<std::size_t>(labels[row])];
    if (*best > of_label)
      errors.push_back({static_cast<std::int64_t>(row), labels[row], best - of_row.begin(), of_label, *best});
  }
  std::stable_sort(errors.begin(), errors.end(),
                   [](const LabelError& a, const LabelError& b) { return a.margin() > b.margin(); });
  const auto most = static_cast<std::size_t>(std::lround(wrong_labels(probabilities, labels, classes)));
  if (errors.size() > most) errors.resize(most);
  return errors;
}

}  // namespace effnet::transfer
