// A checkpoint: everything a run needs to go on to the same bits, in one safetensors file with a checksum. Written
// under a temporary name, synced and renamed; the one before is kept until the next is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "effnet/train/step/trainer.h"

namespace effnet::train {

// Where the run stands besides the trainer's own state. Meters are sums, so that they go on exactly.
struct Position {
  std::uint64_t epoch = 0;
  std::int64_t batch = 0;  // batches of this epoch already used
  double loss_sum = 0;     // of this epoch so far, over all ranks
  std::int64_t right = 0, images = 0;
  double best_top1 = -1;
  std::int64_t best_epoch = 0;
  double seconds = 0;               // of training so far, over all starts
  std::uint64_t metrics_bytes = 0;  // length of metrics.csv that belongs to this state
  double epochs = 0;                // of the run as fitted to a time budget
};

// `identity` tells one model, recipe and data from others (train/run/identity.h): a checkpoint of another is refused.
// `model` is what formats::model_metadata() says of the model to come: with it a checkpoint is a MODEL.
using ModelMetadata = std::map<std::string, std::string>;
void write_checkpoint(const std::filesystem::path& file, Trainer& trainer, const Position& position,
                      const std::string& identity, const ModelMetadata& model = {});
// Fills the trainer. Throws Error(input) for a file that is damaged (checksum, sizes) or of another identity.
Position read_checkpoint(const std::filesystem::path& file, Trainer& trainer, const std::string& identity);

}  // namespace effnet::train
