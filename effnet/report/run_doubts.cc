#include "effnet/report/run_doubts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "effnet/metrics/intervals.h"

namespace effnet::report {
namespace {

constexpr double kFarAbove = 20;  // points

}  // namespace

std::vector<std::string> doubts(const std::vector<EpochMetrics>& epochs, std::int64_t epoch,
                                const std::vector<Prediction>& predictions) {
  std::vector<std::string> found;
  if (predictions.empty()) return found;
  std::map<std::int64_t, std::int64_t> images_of;  // by label
  std::int64_t right = 0;
  for (const Prediction& one : predictions) {
    ++images_of[one.label];
    right += one.predicted == one.label;
  }
  std::int64_t largest = 0;
  for (const auto& [label, count] : images_of) largest = std::max(largest, count);
  const auto total = static_cast<std::int64_t>(predictions.size());
  const auto percent = [&](std::int64_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(total);
  };
  const metrics::Interval interval = metrics::wilson_95(right, total);
  const double top1 = percent(right), low = 100 * interval.low, high = 100 * interval.high;

  if (low <= percent(largest)) {
    found.push_back(fmt::format(
        "validation cannot be told from chance: {} of {} images are right ({:.2f} %), one answer for all "
        "would have {:.2f} %. Look at optimizer.lr, at the number of steps, and whether val/ has the classes "
        "of train/ (effnet data check)",
        right, total, top1, percent(largest)));
  }
  const auto row = epoch > 0 ? std::ranges::find(epochs, epoch, &EpochMetrics::epoch)
                             : epochs.end() - static_cast<std::ptrdiff_t>(!epochs.empty());
  if (row == epochs.end()) return found;
  if (row->train_top1 - high > kFarAbove) {
    found.push_back(
        fmt::format("training ({:.2f} %) is far above validation ({:.2f} %, {:.2f} to {:.2f} % with {} images): the "
                    "network knows its images by heart, or batch norm's statistics are not those of its weights. More "
                    "images, data.augment or fewer epochs help against the one, bn.momentum=0.9 against the other",
                    row->train_top1, top1, low, high, total));
  }
  if (row->val_top1 && row->val_ema_top1 && *row->val_ema_top1 < *row->val_top1 && high < *row->val_top1) {
    found.push_back(
        fmt::format("the averaged weights ({:.2f} %) are behind the plain ones ({:.2f} %): a lower ema.decay "
                    "looks back over fewer steps, 0 takes the plain ones",
                    *row->val_ema_top1, *row->val_top1));
  }
  return found;
}

}  // namespace effnet::report
