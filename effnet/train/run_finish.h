// The end of a run: the model file, what it says of each picture, the page about the run, the summary. Everything here
// can be done again after a kill, from the last checkpoint.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "effnet/base/error.h"
#include "effnet/graph/graph.h"
#include "effnet/train/checkpoint.h"
#include "effnet/train/evaluate_run.h"
#include "effnet/train/run.h"
#include "effnet/train/run_data.h"
#include "effnet/train/run_files.h"
#include "effnet/train/run_model.h"

namespace effnet::train {

struct Finish {
  const RunOptions& options;
  const RunModel& model;
  const graph::Graph& graph;
  const RunData& data;
  RunFolder* folder;           // rank 0's; null on the others
  std::filesystem::path best;  // the best epoch's checkpoint
  std::string identity;
  Position position;
  double epochs;                          // of the whole run
  std::optional<ValidationSet> pictures;  // for predictions.csv
  bool chosen;                            // data.holdout: the best epoch's weights are the result, else the last ones
  torch::Device device;
};

// Throws Error(interrupted) if a signal comes while pictures are classified.
Summary finish_run(const Finish& finish, Trainer& trainer, Group& group);

// The same error, with the batch that led to it in RUN/not_finite.safetensors (`images` (n, h, w, 3), `labels`,
// `indices` in the data set; with mixed pictures `other_labels` and `own_share`) and the error's text naming the file.
Error with_batch_saved(const Error& error, const data::Batch& batch, Size resolution, const std::filesystem::path& run,
                       int rank, std::int64_t step);

}  // namespace effnet::train
