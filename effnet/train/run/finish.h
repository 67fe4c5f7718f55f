// The end of a run: the model file, what it says of each picture, the page about the run, the summary. Everything here
// can be done again after a kill, from the last checkpoint.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "effnet/base/error.h"
#include "effnet/graph/graph.h"
#include "effnet/train/run/checkpoint_file.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/run/model.h"
#include "effnet/train/run/run.h"

namespace effnet::train {

struct Finish {
  const RunOptions& options;
  const RunModel& model;
  const graph::Graph& graph;
  const RunData& data;
  RunFolder* folder;  // rank 0's; null on the others
  CheckpointFolder checkpoints;
  std::string identity;
  Position position;
  double epochs;                          // of the whole run
  std::optional<ValidationSet> pictures;  // for predictions.csv
  torch::Device device;
  std::function<void(const std::string&)> tell;  // a line for a person
};

// Throws Error(interrupted) if a signal comes while pictures are classified.
Summary finish_run(const Finish& finish, Trainer& trainer, Group& group);

}  // namespace effnet::train
