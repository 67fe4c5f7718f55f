#include "effnet/report/run_warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "effnet/base/text.h"
#include "effnet/metrics/intervals.h"

namespace effnet::report {
namespace {

constexpr double kMaxGap = 20;  // between training and validation accuracy, in percentage points

double percent(std::int64_t count, std::int64_t total) {
  return 100 * static_cast<double>(count) / static_cast<double>(total);
}

}  // namespace

std::optional<std::string> chance_warning(std::int64_t right, std::int64_t images, std::int64_t largest_class) {
  const metrics::Interval interval = metrics::wilson_95(right, images);
  const double top1 = percent(right, images), chance = percent(largest_class, images);
  if (top1 <= chance) {
    return fmt::format(
        "the accuracy is not above chance: {} of {} are right ({:.2f} %), and predicting the largest class for all "
        "images gives {:.2f} %. Check optimizer.lr, the number of steps, and whether training and evaluation have the "
        "same classes (effnet data check)",
        right, count_of(images, "image"), top1, chance);
  }
  if (100 * interval.low > chance) return {};
  return fmt::format(
      "too few images to tell the accuracy from chance: {} of {} are right (95 % interval {:.2f} to {:.2f} %), and "
      "predicting the largest class for all images gives {:.2f} %. More evaluated images make the interval narrower",
      right, count_of(images, "image"), 100 * interval.low, 100 * interval.high, chance);
}

std::vector<std::string> result_warnings(const std::vector<EpochMetrics>& epochs, std::int64_t epoch,
                                         const std::vector<Prediction>& predictions) {
  std::vector<std::string> warnings;
  if (predictions.empty()) return warnings;
  std::map<std::int64_t, std::int64_t> images_of;  // by label
  std::int64_t right = 0;
  for (const Prediction& one : predictions) {
    ++images_of[one.label];
    right += one.predicted == one.label;
  }
  std::int64_t largest = 0;
  for (const auto& [label, count] : images_of) largest = std::max(largest, count);
  const auto total = static_cast<std::int64_t>(predictions.size());
  const metrics::Interval interval = metrics::wilson_95(right, total);
  const double top1 = percent(right, total), low = 100 * interval.low, high = 100 * interval.high;
  if (std::optional<std::string> chance = chance_warning(right, total, largest)) warnings.push_back(*std::move(chance));
  const auto row = epoch > 0 ? std::ranges::find(epochs, epoch, &EpochMetrics::epoch)
                             : epochs.end() - static_cast<std::ptrdiff_t>(!epochs.empty());
  if (row == epochs.end()) return warnings;
  if (row->train_top1 - high > kMaxGap) {
    warnings.push_back(fmt::format(
        "training accuracy ({:.2f} %) is far above the accuracy on other images ({:.2f} %, 95 % interval {:.2f} "
        "to {:.2f} % with {}): the network overfits, or the moving statistics of batch norm do not "
        "match the weights. If it overfits, use more images, data.augment or fewer epochs; if the "
        "statistics do not match, set bn.momentum=0.9",
        row->train_top1, top1, low, high, count_of(total, "image")));
  }
  if (row->val_top1 && row->val_ema_top1 && *row->val_ema_top1 < *row->val_top1 && high < *row->val_top1) {
    warnings.push_back(
        fmt::format("the averaged weights ({:.2f} %) are less accurate than the weights without averaging ({:.2f} %): "
                    "set a lower ema.decay to average over fewer steps, or ema.decay=0 to turn averaging off",
                    *row->val_ema_top1, *row->val_top1));
  }
  return warnings;
}

}  // namespace effnet::report
