// What rank 0 writes while a run is under way: metrics.csv, broken.csv, TensorBoard's events, checkpoints.
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
  // Begins the files, or goes on with those that belong to `position`, whose metrics_bytes becomes their length. The
  // folder outlives this. Throws Error(environment), as all of these do.
  Recorder(RunFolder& folder, const Recipe& recipe, std::string identity, ModelMetadata metadata, Position& position,
           const Log& tell);

  // Told once where the run goes on from the checkpoint `from`: the next step is `step`, counted from 1.
  void resume_from(const std::filesystem::path& from, const Position& position, std::int64_t step);

  // The running epoch's mean loss and the rate, of every tenth step. Steps count from 1.
  void add_step(std::int64_t step, double mean_loss, double lr);
  // The epoch that was closed: its line, images that could not be read, a checkpoint and its names.
  void add_epoch(const report::EpochMetrics& row, const CorruptList& broken, Trainer& trainer, Position& position);
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
