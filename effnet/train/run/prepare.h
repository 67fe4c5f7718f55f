// Prepares a run for its next step: opens the folder, the dataset, the model and the checkpoint.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "effnet/train/run/data.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/run/model.h"
#include "effnet/train/run/recorder.h"
#include "effnet/train/run/run.h"

namespace effnet::train {

struct RunContext {
  torch::Device device = torch::kCPU;
  Log log;                            // prints on rank 0 only
  std::unique_ptr<RunFolder> folder;  // null on ranks above 0, like `recorder`
  RunModel model;
  RunData data;
  graph::Graph graph;
  std::string identity;  // identity_of() as text
  std::unique_ptr<data::TrainingLoader> loader;
  std::optional<ValidationSet> validation, test;
  std::unique_ptr<Trainer> trainer;
  Position position;
  std::unique_ptr<Recorder> recorder;

  std::int64_t batches() const { return loader->batches_per_epoch(); }
};

// Fills `context`. If the run is already finished, returns its summary instead. To be called on all ranks. Throws the
// errors that run() documents.
std::optional<Summary> prepare_run(const RunOptions& options, Group& group, RunContext& context);

}  // namespace effnet::train
