// A checkpoint: everything that a run needs to resume to the same bits, in one safetensors file with a checksum. It is
// written under a temporary name, synced and renamed. Reading verifies the whole file before restore() changes a
// trainer.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "effnet/tensor/tensor.h"
#include "effnet/train/run/position.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

// `identity` describes model, recipe and data (train/run/identity.h); restore() refuses the checkpoint of another run.
// `model`: formats::model_metadata() of the run's model. With this metadata the checkpoint can be used as a MODEL.
using ModelMetadata = std::map<std::string, std::string>;
void write_checkpoint(const std::filesystem::path& file, Trainer& trainer, const Position& position,
                      const std::string& identity, const ModelMetadata& model = {});

struct CheckpointFile {
  Position position;
  std::string identity;
  std::map<std::string, double> scalars;
  tensor::Weights weights;  // views of the mapped file
};

// Throws Error(input) for a file that is missing, truncated, changed (checksum) or of a newer format.
CheckpointFile open_checkpoint(const std::filesystem::path& file);
// Copies the checkpoint into the trainer. If it does not fit, throws Error(input) that names the difference and
// does not change the trainer. `file`: the path for messages.
void restore(const CheckpointFile& checkpoint, const std::filesystem::path& file, Trainer& trainer,
             const std::string& identity);

}  // namespace effnet::train
