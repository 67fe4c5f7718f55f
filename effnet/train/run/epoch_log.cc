#include "effnet/train/run/epoch_log.h"

#include <fmt/format.h>

#include <optional>

#include "effnet/base/text.h"

namespace effnet::train {
namespace {

// "3 of 22.38"; the last epoch may be a part of one: "22.38 of 22.38".
std::string position(std::int64_t epoch, double epochs) {
  return static_cast<double>(epoch) < epochs ? fmt::format("{} of {:.4g}", epoch, epochs)
                                             : fmt::format("{:.4g} of {:.4g}", epochs, epochs);
}

}  // namespace

std::string epoch_line(const report::EpochMetrics& row, double epochs, std::size_t corrupt) {
  std::string text =
      fmt::format("epoch {}: loss {:.4f}, top-1 {:.2f} %", position(row.epoch, epochs), row.train_loss, row.train_top1);
  if (row.val_loss && row.val_top1)
    text += fmt::format("; validation loss {:.4f}, top-1 {:.2f} %", *row.val_loss, *row.val_top1);
  if (row.val_ema_top1) text += fmt::format(", top-1 of the averaged weights {:.2f} %", *row.val_ema_top1);
  // The speed is unknown if an earlier process did all steps of the epoch.
  if (row.images_per_second > 0) text += fmt::format("; {:.1f} images/s", row.images_per_second);
  if (corrupt > 0)
    text += fmt::format("; {}, see broken.csv", count_of(static_cast<std::int64_t>(corrupt), "corrupt image"));
  return text;
}

void write_epoch(report::EventWriter& events, const report::EpochMetrics& row, double wall_s) {
  const auto scalar = [&](const char* tag, const std::optional<double>& value) {
    if (value) events.scalar(tag, row.step, *value, wall_s);
  };
  scalar("epoch/train_loss", row.train_loss);
  scalar("epoch/train_top1", row.train_top1);
  scalar("epoch/val_loss", row.val_loss);
  scalar("epoch/val_top1", row.val_top1);
  scalar("epoch/val_top5", row.val_top5);
  scalar("epoch/val_ema_top1", row.val_ema_top1);
  scalar("epoch/images_per_second", row.images_per_second);
  events.flush();
}

}  // namespace effnet::train
