// A checkpoint: everything a run needs to go on to the same bits, in one safetensors file with a checksum. Written
// under a temporary name, synced and renamed. It is read and verified apart from any trainer, before one is touched.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "effnet/tensor/tensor.h"
#include "effnet/train/run/position.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

// `identity` tells one model, recipe and data from others (train/run/identity.h): a checkpoint of another is refused.
// `model` is what formats::model_metadata() says of the model to come: with it a checkpoint is a MODEL.
using ModelMetadata = std::map<std::string, std::string>;
void write_checkpoint(const std::filesystem::path& file, Trainer& trainer, const Position& position,
                      const std::string& identity, const ModelMetadata& model = {});

struct CheckpointFile {
  Position position;
  std::string identity;
  std::map<std::string, double> scalars;
  tensor::Weights weights;  // views of the mapped file
};

// Throws Error(input) for a file that is missing, cut short, changed (checksum) or of a newer format.
CheckpointFile open_checkpoint(const std::filesystem::path& file);
// Throws Error(input) that names what differs, and only fills the trainer if everything fits.
void restore(const CheckpointFile& checkpoint, const std::filesystem::path& file, Trainer& trainer,
             const std::string& identity);

}  // namespace effnet::train
