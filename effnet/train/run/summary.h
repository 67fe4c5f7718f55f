// summary.json: what a run came to, which `effnet train --json` prints too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace effnet::train {

struct Summary {
  double best_top1 =
      -1;  // percent, of the averaged weights where there are such; null in the file: nothing to validate
  std::int64_t best_epoch = 0;
  // Of the weights in model.safetensors (checkpoint.result): the same figure as the best's where they are the best's.
  double saved_top1 = -1;
  std::int64_t saved_epoch = 0;
  double epochs = 0, images_per_second = 0, seconds = 0;
  std::int64_t params = 0, macs = 0;
  std::string device;
  std::string isa;  // the instruction set of effnet's own kernels (rank 0's); empty, null in the file: none ran
  int world_size = 1;
  std::int64_t peak_rss_bytes = 0;  // the largest memory of rank 0's last process
  std::string data;                 // --data, absolute
  // With data.holdout, which chose the best epoch: the saved weights on the validation set, which chose nothing.
  std::optional<double> test_top1;
};
std::string summary_text(const Summary& summary);        // JSON
Summary parse_summary(const std::string& summary_json);  // Error(input)

}  // namespace effnet::train
