// summary.json: the result of a run. `effnet train --json` prints the same text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace effnet::train {

struct Summary {
  // Top-1 of the best epoch in percent: of the averaged weights if the run has them, else of the trained weights. Below
  // 0 (null in the file) without validation.
  double best_top1 = -1;
  std::int64_t best_epoch = 0;
  // Like best_top1 and best_epoch, but for the epoch whose weights are in model.safetensors (checkpoint.result).
  double saved_top1 = -1;
  std::int64_t saved_epoch = 0;
  double epochs = 0, images_per_second = 0, seconds = 0;
  std::int64_t params = 0, macs = 0;
  std::string device;
  std::string isa;  // instruction set of effnet's own kernels on rank 0; empty (null in the file) if they were not used
  int world_size = 1;
  std::int64_t peak_rss_bytes = 0;  // peak resident memory of rank 0's last process
  std::string data;                 // absolute path of --data
  // Top-1 in percent of the saved weights on images that were used neither to train nor to select the epoch. Only with
  // data.holdout (the val or test split) or data.train_on = train+val (the test part of data.split).
  std::optional<double> test_top1;
};
std::string summary_text(const Summary& summary);        // JSON
Summary parse_summary(const std::string& summary_json);  // throws Error(input)

}  // namespace effnet::train
