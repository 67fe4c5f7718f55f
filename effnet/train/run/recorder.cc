#include "effnet/train/run/recorder.h"

#include <chrono>

#include "effnet/train/run/epoch_log.h"

namespace effnet::train {
namespace {

constexpr std::int64_t kEventSteps = 10;  // steps between events within an epoch

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Recorder::Recorder(RunFolder& folder, const Recipe& recipe, std::string identity, ModelMetadata metadata,
                   Position& position, const Log& log)
    : folder_(folder),
      checkpoints_(folder.path()),
      keep_(recipe.checkpoint_keep),
      identity_(std::move(identity)),
      metadata_(std::move(metadata)) {
  folder_.mark_unfinished();
  position.metrics_bytes = folder_.begin_metrics(position.metrics_bytes, log);
  folder_.write_config(print(recipe));
  events_.emplace(folder_.path());
}

void Recorder::resume_from(const std::filesystem::path& from, const Position& position, std::int64_t step) {
  // If the process was killed right after it wrote `last`, the names `best` and `epoch-N` may not include it yet.
  if (position.batch == 0 && position.epoch > 0 && from.filename() == "last") name_best(position);
  events_->restart(step, wall_seconds());
}

void Recorder::add_step(std::int64_t step, double mean_loss, double lr) {
  if (step % kEventSteps != 0) return;
  const double now = wall_seconds();
  events_->scalar("train/loss", step, mean_loss, now);
  events_->scalar("train/lr", step, lr, now);
}

void Recorder::add_epoch(const report::EpochMetrics& row, const CorruptList& corrupt, Trainer& trainer,
                         Position& position) {
  position.metrics_bytes = folder_.append_metrics(row);
  if (!corrupt.empty()) folder_.add_corrupt(corrupt);
  save(trainer, position);
  name_best(position);
  write_epoch(*events_, row, wall_seconds());
}

void Recorder::save(Trainer& trainer, const Position& position) {
  events_->flush();
  checkpoints_.write(trainer, position, identity_, metadata_);
}

void Recorder::name_best(const Position& position) {
  checkpoints_.keep_best(static_cast<std::int64_t>(position.epoch), position.best_epoch,
                         ranked_epochs(folder_.metrics()), keep_);
}

}  // namespace effnet::train
