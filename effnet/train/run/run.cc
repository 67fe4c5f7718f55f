#include "effnet/train/run/run.h"

#include <chrono>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/train/distributed/run_on_ranks.h"
#include "effnet/train/run/epoch_log.h"
#include "effnet/train/run/meters.h"
#include "effnet/train/run/not_finite.h"
#include "effnet/train/run/prepare.h"
#include "effnet/train/run/results.h"
#include "effnet/train/run/time_budget.h"
#include "effnet/train/step/device.h"

namespace effnet::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Run {
 public:
  Run(const RunOptions& options, Group& group, RunContext& context)
      : options_(options), group_(group), context_(context) {}

  Summary train();

 private:
  void step();
  void finish_epoch();
  void validate_if_due(report::EpochMetrics& row);
  void update_seconds() { position_.seconds = seconds_before_ + seconds_since(start_); }
  bool end_if_out_of_patience(const report::EpochMetrics& row);
  void save();
  [[noreturn]] void stop();

  RunCosts costs() const;
  void fit_to_budget();

  const RunOptions& options_;
  Group& group_;
  RunContext& context_;
  Position& position_ = context_.position;
  Timeline timeline_{options_.recipe, context_.batches(), position_};
  Meters meters_{timeline_, position_};
  TimeBudget budget_{options_.recipe};
  Clock::time_point start_ = Clock::now();     // when this process began to train
  double seconds_before_ = position_.seconds;  // training time of earlier processes of the run
  std::int64_t validated_ = 0;                 // the epoch of the newest validation
  CorruptList corrupt_;                        // this rank's corrupt images in the newest validation
};

Summary Run::train() {
  while (!timeline_.run_is_over()) {
    if (timeline_.epoch_is_over()) {
      finish_epoch();
    } else {
      step();
    }
  }
  update_seconds();
  if (context_.recorder) context_.recorder->flush();
  return write_results(options_, context_, timeline_.epochs(), group_);
}

void Run::step() {
  const Clock::time_point start = Clock::now();
  const data::Batch batch = context_.loader->next();
  const double lr = timeline_.learning_rate_of_step(timeline_.steps_done());
  StepResult result;
  try {
    result = context_.trainer->step(batch, lr);
  } catch (const NotFinite& error) {
    throw with_batch_saved(error, batch, context_.model.resolution(), options_.out, group_.rank());
  }
  const StepSums sums = sum_over_ranks(result, interrupted(), group_, context_.device);
  const double seconds = seconds_since(start);
  meters_.add(sums, seconds);
  if (context_.recorder) context_.recorder->add_step(timeline_.steps_done(), meters_.mean_loss(), lr);
  if (group_.rank() == 0 && options_.progress) options_.progress(meters_.progress(lr));
  budget_.add_step(seconds);
  if (!timeline_.steps_in_all()) fit_to_budget();
  if (sums.stopping) stop();
  if (timeline_.checkpoint_is_due()) save();
}

// `row`: the line of the epoch. Adds the results of a validation to it if one is due, and updates the best epoch.
void Run::validate_if_due(report::EpochMetrics& row) {
  if (!context_.validation) {
    position_.best_epoch = row.epoch;
    return;
  }
  const bool due =
      timeline_.last_step_is_done() || (timeline_.validation_is_due(row.epoch) &&
                                        budget_.validation_is_due(static_cast<double>(row.epoch - validated_)));
  if (!due) return;
  const Clock::time_point start = Clock::now();
  corrupt_.clear();
  const std::optional<Validation> validation =
      validate(*context_.trainer, *context_.validation, context_.device, group_, corrupt_);
  if (!validation) stop();  // all steps of the epoch are done; --resume validates again
  require_finite(*validation, context_.model.resolution(), options_.out, group_.rank(), row.epoch,
                 timeline_.steps_done());
  budget_.set_validation_time(seconds_since(start));
  validated_ = row.epoch;
  set_validation(*validation, row);
  if (*row.score() <= position_.best_top1) return;
  position_.best_top1 = *row.score();
  position_.best_epoch = row.epoch;
}

void Run::finish_epoch() {
  const bool last = timeline_.last_step_is_done();
  report::EpochMetrics row = meters_.row();
  validate_if_due(row);
  const bool ends_early = end_if_out_of_patience(row);
  if (budget_.on() && timeline_.steps_in_all() && !last && !ends_early && meters_.epoch_s() > 0 &&
      (!context_.validation || budget_.has_validation_time())) {
    RunCosts costs = this->costs();
    costs.epoch_s = meters_.epoch_s();
    position_.epochs = budget_.refit(costs, timeline_.epochs(), group_);
    // The new length may make this epoch the last one, which is always validated.
    if (timeline_.last_step_is_done() && !row.score()) validate_if_due(row);
  }
  meters_.begin_next_epoch();
  for (const data::CorruptImage& image : context_.loader->broken()) corrupt_.emplace_back(image.name, image.why);
  const CorruptList corrupt = gather_from_all_ranks(group_, corrupt_);
  update_seconds();
  run_on_rank0(group_, [&] { context_.recorder->add_epoch(row, corrupt, *context_.trainer, position_); });
  context_.log(epoch_line(row, timeline_.epochs(), corrupt.size()));
}

// If train.patience epochs have passed without a better validation, makes this epoch the last one.
bool Run::end_if_out_of_patience(const report::EpochMetrics& row) {
  const double patience = options_.recipe.train.patience;
  if (patience <= 0 || !row.score() || timeline_.last_step_is_done() ||
      static_cast<double>(row.epoch - position_.best_epoch) < patience)
    return false;
  position_.epochs = timeline_.epochs_done();
  context_.log(fmt::format("ends early: no better validation since epoch {} (train.patience = {})",
                           position_.best_epoch, patience));
  return true;
}

void Run::save() {
  update_seconds();
  run_on_rank0(group_, [&] { context_.recorder->save(*context_.trainer, position_); });
}

void Run::stop() {
  save();
  throw Error(ErrorCode::interrupted,
              fmt::format("interrupted at step {} (epoch {:.4g} of {:.4g}); the state is saved", timeline_.steps_done(),
                          timeline_.epochs_done(), timeline_.epochs()),
              "the same command with --resume continues from here");
}

RunCosts Run::costs() const {
  return {.spent_s = seconds_before_ + seconds_since(options_.started),
          .epochs_done = timeline_.epochs_done(),
          .steps_per_epoch = static_cast<double>(timeline_.batches())};
}

void Run::fit_to_budget() {
  const bool ready = budget_.ready(costs().spent_s, timeline_.epoch_is_over());
  if (broadcast_from_rank0(group_, ready ? "fit" : "").empty()) return;
  if (context_.validation)
    budget_.set_validation(measure_validation(*context_.trainer, *context_.validation, budget_.probe_s()));
  std::string warning;
  try {
    position_.epochs = budget_.fit(costs(), group_, warning);
  } catch (const Error& error) {
    // The budget is too short. Without a checkpoint there is nothing to keep, so the next run may use this folder.
    if (error.code() == ErrorCode::usage) {
      run_on_rank0(group_, [&] {
        if (CheckpointFolder(options_.out).empty()) context_.folder->remove_traces();
      });
    }
    throw;
  }
  if (!warning.empty()) context_.log(warning);
  context_.log(fmt::format("time budget {}: training for {}", options_.recipe.train.time_budget,
                           number_of(position_.epochs, "epoch")));
}

}  // namespace

Summary run(const RunOptions& options, Group& group) {
  const Log log = [&](const std::string& line) {
    if (group.rank() != 0 || !options.progress) return;
    Progress progress;
    progress.message = line;
    options.progress(progress);
  };
  RunContext context;
  context.device = device_named(options.device);
  context.log = log;
  try {
    if (const std::optional<Summary> done = prepare_run(options, group, context)) return *done;
  } catch (const Error& error) {
    // A signal to all ranks may have stopped another rank first. Then report the interrupt, not the lost rank.
    if (error.code() == ErrorCode::environment) check_interrupt();
    throw;
  }
  // From here on a signal stops the run only between steps, where the state can be saved, and never while a file is
  // being written.
  const DeferInterrupts held;
  return Run(options, group, context).train();
}

}  // namespace effnet::train
