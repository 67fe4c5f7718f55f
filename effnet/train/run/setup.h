// What a run has in hand before its next step: the folder, the images, the network, and the place to go on from.
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

struct Setup {
  torch::Device device = torch::kCPU;
  Tell tell;                          // to the person, from rank 0
  std::unique_ptr<RunFolder> folder;  // rank 0's; null on the others, as the recorder
  RunModel model;
  RunData data;
  graph::Graph graph;
  std::string identity;  // identity_of(), as text
  std::unique_ptr<data::TrainingLoader> loader;
  std::optional<ValidationSet> validation, test;
  std::unique_ptr<Trainer> trainer;
  Position position;
  std::unique_ptr<Recorder> recorder;

  std::int64_t batches() const { return loader->batches_per_epoch(); }
};

// On every rank. Fills `setup`, or returns the summary of a run that is finished already. Throws what run() says of the
// time before the first step.
std::optional<Summary> set_up(const RunOptions& options, Group& group, Setup& setup);

}  // namespace effnet::train
