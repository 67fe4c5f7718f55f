#include "effnet/cli_train/progress_line.h"

#include <fmt/format.h>

#include <cmath>

#include "effnet/base/text.h"

namespace effnet::cli {

void ProgressLine::clear() {
  counted_.end();
  out_.status("");
}

void ProgressLine::say(const std::string& message) {
  clear();
  out_.say(message);
}

void ProgressLine::show(const train::Progress& progress) {
  if (!progress.message.empty()) return say(progress.message);
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(200)) return;
  last_ = now;
  counted_.end();
  // With a time budget the number of epochs is an estimate that changes a little with every step.
  out_.status(fmt::format("epoch {} of {:.0f}  {}/{}  loss {:.4f}  top-1 {:.2f} %  lr {:.3g}  {:.1f} images/s  {}",
                          progress.epoch, std::ceil(progress.epochs - 0.05), progress.step, progress.steps_per_epoch,
                          progress.loss, progress.top1, progress.lr, progress.images_per_second,
                          progress.seconds_left >= 1 ? time_text(progress.seconds_left) + " left" : ""));
}

void ProgressLine::show(std::string_view what, std::int64_t done, std::int64_t total) {
  counted_.update(what, done, total);
}

}  // namespace effnet::cli
