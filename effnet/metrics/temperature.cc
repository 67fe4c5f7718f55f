#include "effnet/metrics/temperature.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"

namespace effnet::metrics {
namespace {

// The mean over all images of the NLL at 1 / T = `beta`, and its first two derivatives with respect to beta.
struct Nll {
  double value = 0, slope = 0, curvature = 0;
};

Nll nll(const LabelledLogits& images, double beta) {
  const auto classes = static_cast<std::size_t>(images.classes);
  Nll mean;
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    if (i % 1024 == 0) check_interrupt();
    const std::span<const float> row = images.logits.subspan(i * classes, classes);
    const double most = *std::max_element(row.begin(), row.end());
    double sum = 0, first = 0, second = 0;  // sums of e, e x and e x^2, where x = logit - most and e = exp(beta x)
    for (const float logit : row) {
      const double x = logit - most;
      const double e = std::exp(beta * x);
      sum += e;
      first += e * x;
      second += e * x * x;
    }
    const double expected = first / sum;
    const double of_label = row[static_cast<std::size_t>(images.labels[i])] - most;
    mean.value += std::log(sum) - beta * of_label;
    mean.slope += expected - of_label;
    mean.curvature += second / sum - expected * expected;
  }
  const auto count = static_cast<double>(images.labels.size());
  return {mean.value / count, mean.slope / count, mean.curvature / count};
}

void check(const LabelledLogits& images) {
  EFFNET_CHECK(images.classes > 0);
  EFFNET_CHECK(images.logits.size() == images.labels.size() * static_cast<std::size_t>(images.classes));
  for (const std::int64_t label : images.labels) EFFNET_CHECK(label >= 0 && label < images.classes);
  for (const float logit : images.logits) {
    if (!std::isfinite(logit)) throw input_error("calibration: a logit is not finite (got {})", logit);
  }
}

}  // namespace

double nll_at(const LabelledLogits& images, double temperature) {
  check(images);
  EFFNET_CHECK(!images.labels.empty() && temperature > 0);
  return nll(images, 1 / temperature).value;
}

double fit_temperature(const LabelledLogits& images) {
  check(images);
  if (images.labels.empty()) return 1;
  double low = 1 / kMaxTemperature, high = 1 / kMinTemperature;  // bounds of beta = 1 / T
  if (nll(images, low).slope >= 0) return kMaxTemperature;
  if (nll(images, high).slope <= 0) return kMinTemperature;
  double beta = 1;
  for (int i = 0; i < 100 && high - low > 1e-9 * low; ++i) {
    const Nll here = nll(images, beta);
    (here.slope < 0 ? low : high) = beta;
    if (here.slope == 0) break;
    const double newton = beta - here.slope / here.curvature;
    const double next = newton > low && newton < high ? newton : (low + high) / 2;
    if (std::abs(next - beta) <= 1e-10 * beta) break;
    beta = next;
  }
  return 1 / beta;
}

std::vector<ScoredPrediction> scored(const LabelledLogits& images, double temperature) {
  check(images);
  EFFNET_CHECK(temperature > 0);
  const auto classes = static_cast<std::size_t>(images.classes);
  std::vector<ScoredPrediction> predictions;
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    const std::span<const float> row = images.logits.subspan(i * classes, classes);
    const auto best = std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float logit : row) sum += std::exp((static_cast<double>(logit) - *best) / temperature);
    const auto label = static_cast<std::size_t>(images.labels[i]);
    predictions.push_back({.confidence = 1 / sum,
                           .of_label = std::exp((static_cast<double>(row[label]) - *best) / temperature) / sum,
                           .right = static_cast<std::size_t>(best - row.begin()) == label});
  }
  return predictions;
}

double calibrated_temperature(const LabelledLogits& images) {
  const auto count = static_cast<double>(images.labels.size());
  double low = std::pow(fit_temperature(images), count / (count + kPriorImages)), high = kMaxTemperature;
  const auto too_sure = [&](double temperature) {
    const Calibration all = calibrate(scored(images, temperature));
    return all.confidence > (all.accuracy * count + 1) / (count + 2);
  };
  if (!too_sure(low)) return low;
  for (int i = 0; i < 40; ++i) {  // the confidence falls with the temperature
    const double middle = std::sqrt(low * high);
    (too_sure(middle) ? low : high) = middle;
  }
  return high;
}

std::int64_t images_for(double target) {
  EFFNET_CHECK(target >= 0 && target < 1);
  std::int64_t images = 0;
  while (wilson_95(images, images).low < target) ++images;
  return images;
}

MinScore choose_min_score(const std::vector<ScoredPrediction>& predictions, double target) {
  std::vector<ScoredPrediction> sorted;
  for (const ScoredPrediction& one : predictions) {
    if (std::isfinite(one.confidence)) sorted.push_back(one);
  }
  std::ranges::sort(sorted, std::ranges::greater{}, &ScoredPrediction::confidence);
  MinScore best;
  if (sorted.empty()) return best;
  std::int64_t right = 0;
  bool first = true;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    right += sorted[i].right ? 1 : 0;
    const bool last = i + 1 == sorted.size();
    if (!last && sorted[i + 1].confidence == sorted[i].confidence) continue;  // accepted by the same score
    const auto accepted = static_cast<std::int64_t>(i + 1);
    const Interval interval = wilson_95(right, accepted);
    const bool reaches = interval.low >= target;
    // Scores are in descending order, so a later score is smaller: it is better if it reaches the target, or if no
    // earlier one did and its bound is not lower.
    if (!first && !reaches && (best.reaches || interval.low < best.interval.low)) continue;
    first = false;
    best = {.min_score = last ? 0 : sorted[i].confidence,
            .coverage = static_cast<double>(accepted) / static_cast<double>(sorted.size()),
            .accuracy = static_cast<double>(right) / static_cast<double>(accepted),
            .interval = interval,
            .reaches = reaches};
  }
  return best;
}

}  // namespace effnet::metrics
