#include "effnet/metrics/calibration.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"

namespace effnet::metrics {

Calibration calibrate(const std::vector<ScoredPrediction>& predictions, int bins) {
  EFFNET_CHECK(bins > 0);
  Calibration result;
  for (int b = 0; b < bins; ++b)
    result.bins.push_back({static_cast<double>(b) / bins, static_cast<double>(b + 1) / bins, 0, 0, 0});
  for (const ScoredPrediction& one : predictions) {
    if (!std::isfinite(one.confidence) || !std::isfinite(one.of_label)) {
      ++result.skipped;
      continue;
    }
    const double right = one.right ? 1 : 0;
    // Searches the stored bounds, so that a confidence equal to a bound goes into the bin (low, high] below it.
    const auto found = std::ranges::lower_bound(result.bins, one.confidence, {}, &ReliabilityBin::high);
    ReliabilityBin& bin = found == result.bins.end() ? result.bins.back() : *found;
    ++bin.images;
    bin.confidence += one.confidence;
    bin.accuracy += right;
    ++result.images;
    result.confidence += one.confidence;
    result.accuracy += right;
    result.brier += (one.confidence - right) * (one.confidence - right);
    result.nll -= std::log(one.of_label);
    result.zero_probability += one.of_label <= 0 ? 1 : 0;
  }
  if (result.images == 0) return result;
  const auto all = static_cast<double>(result.images);
  for (double* mean : {&result.confidence, &result.accuracy, &result.brier, &result.nll}) *mean /= all;
  for (ReliabilityBin& bin : result.bins) {
    if (bin.images == 0) continue;
    const auto images = static_cast<double>(bin.images);
    bin.confidence /= images;
    bin.accuracy /= images;
    const double gap = std::abs(bin.accuracy - bin.confidence);
    result.ece += images / all * gap;
    result.mce = std::max(result.mce, gap);
  }
  return result;
}

}  // namespace effnet::metrics
