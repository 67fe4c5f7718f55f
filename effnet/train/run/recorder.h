// Writes the files of a running run on rank 0: metrics.csv, broken.csv, TensorBoard events, checkpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "effnet/report/events.h"
#include "effnet/train/run/checkpoint_folder.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/run/timeline.h"

namespace effnet::train {

class Recorder {
 public:
  // If position.metrics_bytes is 0, creates metrics.csv; else continues it after this number of bytes. Updates
  // position.metrics_bytes. Writes config.toml and opens the TensorBoard events. `folder` must outlive this object. All
  // functions throw Error(environment) if a file cannot be written.
  Recorder(RunFolder& folder, const Recipe& recipe, std::string identity, ModelMetadata metadata, Position& position,
           const Log& log);

  // To be called once when the run resumes from the checkpoint `from`. `step`: the next step, counted from 1.
  void resume_from(const std::filesystem::path& from, const Position& position, std::int64_t step);

  // If `step` is a multiple of 10, writes the mean loss of the current epoch and the learning rate as events. Steps
  // count from 1.
  void add_step(std::int64_t step, double mean_loss, double lr);
  // Writes the results of a finished epoch: its line in metrics.csv, corrupt images, a checkpoint, and the names of the
  // best checkpoints (CheckpointFolder::keep_best()). `position`: the position after the epoch.
  void add_epoch(const report::EpochMetrics& row, const CorruptList& corrupt, Trainer& trainer, Position& position);
  void save(Trainer& trainer, const Position& position);
  void flush() { events_->flush(); }

 private:
  void name_best(const Position& position);

  RunFolder& folder_;
  CheckpointFolder checkpoints_;
  std::int64_t keep_;
  std::string identity_;
  ModelMetadata metadata_;
  std::optional<report::EventWriter> events_;
};

}  // namespace effnet::train
