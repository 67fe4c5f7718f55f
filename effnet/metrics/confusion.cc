#include "effnet/metrics/confusion.h"

#include <algorithm>

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return {};
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Confusion::Confusion(std::int64_t classes)
    : support_(static_cast<std::size_t>(classes)), predicted_(static_cast<std::size_t>(classes)) {}

void Confusion::add(std::int64_t truth, std::int64_t predicted) {
  EFFNET_CHECK(truth >= 0 && truth < classes() && predicted >= 0 && predicted < classes());
  ++images_;
  right_ += truth == predicted ? 1 : 0;
  ++support_[static_cast<std::size_t>(truth)];
  ++predicted_[static_cast<std::size_t>(predicted)];
  ++cells_[{truth, predicted}];
}

std::int64_t Confusion::at(std::int64_t truth, std::int64_t predicted) const {
  const auto found = cells_.find({truth, predicted});
  return found == cells_.end() ? 0 : found->second;
}

ClassScore Confusion::score(std::int64_t class_index) const {
  ClassScore score;
  score.support = support_.at(static_cast<std::size_t>(class_index));
  score.predicted = predicted_.at(static_cast<std::size_t>(class_index));
  score.right = at(class_index, class_index);
  score.recall = ratio(score.right, score.support);
  score.precision = ratio(score.right, score.predicted);
  score.f1 = ratio(2 * score.right, score.support + score.predicted);
  return score;
}

Confusion::Means Confusion::means() const {
  double recall = 0, precision = 0, f1 = 0, seen = 0;
  for (std::int64_t c = 0; c < classes(); ++c) {
    const ClassScore one = score(c);
    if (one.support == 0) continue;
    recall += *one.recall;
    precision += one.precision.value_or(0);
    f1 += *one.f1;
    ++seen;
  }
  if (seen == 0) return {};
  return {recall / seen, precision / seen, f1 / seen};
}

std::vector<ConfusedPair> Confusion::most_confused(std::size_t max_pairs) const {
  std::vector<ConfusedPair> all;
  for (const auto& [cell, count] : cells_) {
    if (cell.first != cell.second) all.push_back({cell.first, cell.second, count});
  }
  // The map is sorted by truth, then predicted. The stable sort keeps this order for equal counts.
  std::ranges::stable_sort(all, std::greater{}, &ConfusedPair::count);
  all.resize(std::min(max_pairs, all.size()));
  return all;
}

std::optional<ConfusedPair> Confusion::most_frequent_mistake(std::int64_t truth) const {
  std::optional<ConfusedPair> best;
  for (auto at = cells_.lower_bound({truth, 0}); at != cells_.end() && at->first.first == truth; ++at) {
    const std::int64_t predicted = at->first.second;
    if (predicted != truth && (!best || at->second > best->count)) best = {truth, predicted, at->second};
  }
  return best;
}

}  // namespace effnet::metrics
