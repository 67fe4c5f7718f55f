#include "effnet/metrics/accuracy.h"

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Accuracy::Accuracy(std::int64_t classes)
    : seen_(static_cast<std::size_t>(classes)), right_(static_cast<std::size_t>(classes)) {}

std::int64_t Accuracy::add(std::span<const float> logits, std::int64_t true_class) {
  const auto truth = static_cast<std::size_t>(true_class);
  EFFNET_CHECK(logits.size() == seen_.size() && truth < logits.size());
  std::int64_t rank = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // A NaN logit must not make a wrong prediction look right. The comparisons have the form !(a < b), which is true
    // for NaN: so the other class counts as ranked before the true class.
    if (i < truth ? !(logits[i] < logits[truth]) : i > truth && !(logits[i] <= logits[truth])) ++rank;
  }
  ++images_;
  top1_ += rank < 1 ? 1 : 0;
  top5_ += rank < 5 ? 1 : 0;
  ++seen_[truth];
  right_[truth] += rank < 1 ? 1 : 0;
  return rank;
}

double Accuracy::top1_percent() const { return percent(top1_, images_); }
double Accuracy::top5_percent() const { return percent(top5_, images_); }

double Accuracy::mean_per_class_percent() const {
  double sum = 0;
  std::int64_t classes = 0;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    if (seen_[i] == 0) continue;
    sum += percent(right_[i], seen_[i]);
    ++classes;
  }
  return classes == 0 ? 0 : sum / static_cast<double>(classes);
}

std::optional<Accuracy::ClassRecall> Accuracy::worst_class() const {
  std::optional<ClassRecall> worst;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    if (seen_[i] == 0) continue;
    const ClassRecall one{static_cast<std::int64_t>(i), seen_[i], right_[i]};
    // Compares right / images without division, so that equal recalls are equal exactly.
    const std::int64_t difference = worst ? one.right * worst->images - worst->right * one.images : -1;
    if (difference < 0 || (difference == 0 && one.images > worst->images)) worst = one;
  }
  return worst;
}

}  // namespace effnet::metrics
