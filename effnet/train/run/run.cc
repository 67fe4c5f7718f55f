#include "effnet/train/run/run.h"

#include <chrono>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/train/distributed/together.h"
#include "effnet/train/run/epoch_told.h"
#include "effnet/train/run/finish.h"
#include "effnet/train/run/meters.h"
#include "effnet/train/run/not_finite.h"
#include "effnet/train/run/setup.h"
#include "effnet/train/run/time_budget.h"

namespace effnet::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Run {
 public:
  Run(const RunOptions& options, Group& group, Setup& setup) : options_(options), group_(group), setup_(setup) {}

  Summary go();

 private:
  void step();
  void close_epoch();
  std::optional<Validation> validate_if_due(std::int64_t epoch);
  void update_seconds() { position_.seconds = seconds_before_ + seconds_since(start_); }
  void save();
  [[noreturn]] void stop();

  RunCosts costs() const;
  void fit_to_budget();

  const RunOptions& options_;
  Group& group_;
  Setup& setup_;
  Position& position_ = setup_.position;
  Timeline timeline_{options_.recipe, setup_.batches(), position_};
  Meters meters_{timeline_, position_};
  TimeBudget budget_{options_.recipe};
  Clock::time_point start_ = Clock::now();     // of this process's part
  double seconds_before_ = position_.seconds;  // of the parts before it
  std::int64_t validated_ = 0;                 // the epoch of the newest validation
  CorruptList broken_;                         // this rank's of that
};

Summary Run::go() {
  while (!timeline_.run_is_over()) {
    if (timeline_.epoch_is_over()) {
      close_epoch();
    } else {
      step();
    }
  }
  update_seconds();
  if (setup_.recorder) setup_.recorder->flush();
  return finish_run(options_, setup_, timeline_.epochs(), group_);
}

void Run::step() {
  const Clock::time_point start = Clock::now();
  const data::Batch batch = setup_.loader->next();
  const double lr = timeline_.rate_of_step(timeline_.steps_done());
  StepResult result;
  try {
    result = setup_.trainer->step(batch, lr);
  } catch (const NotFinite& error) {
    throw with_batch_saved(error, batch, setup_.model.resolution(), options_.out, group_.rank());
  }
  const StepSums sums = sum_over_ranks(result, interrupted(), group_, setup_.device);
  const double seconds = seconds_since(start);
  meters_.add(sums, seconds);
  if (setup_.recorder) setup_.recorder->add_step(timeline_.steps_done(), meters_.mean_loss(), lr);
  if (group_.rank() == 0 && options_.progress) options_.progress(meters_.progress(lr));
  budget_.add_step(seconds);
  if (!timeline_.steps_in_all()) fit_to_budget();
  if (sums.stopping) stop();
  if (timeline_.checkpoint_is_due()) save();
}

std::optional<Validation> Run::validate_if_due(std::int64_t epoch) {
  const bool due =
      timeline_.last_step_is_done() ||
      (timeline_.validation_is_due(epoch) && budget_.validation_is_due(static_cast<double>(epoch - validated_)));
  if (!setup_.validation || !due) return std::nullopt;
  const Clock::time_point start = Clock::now();
  broken_.clear();
  std::optional<Validation> validation = validate(*setup_.trainer, *setup_.validation, setup_.device, group_, broken_);
  if (!validation) stop();  // the epoch's steps are done; going on validates again
  require_finite(*validation, setup_.model.resolution(), options_.out, group_.rank(), epoch, timeline_.steps_done());
  budget_.validated(seconds_since(start));
  validated_ = epoch;
  return validation;
}

void Run::close_epoch() {
  const bool last = timeline_.last_step_is_done();
  const report::EpochMetrics row = meters_.row(validate_if_due(static_cast<std::int64_t>(position_.epoch) + 1));
  const double top1 = row.score().value_or(-1);
  if (top1 > position_.best_top1 || !setup_.validation) {
    position_.best_top1 = top1;
    position_.best_epoch = row.epoch;
  }
  const double epoch_s = meters_.epoch_s();
  meters_.begin_next_epoch();
  if (budget_.on() && timeline_.steps_in_all() && !last && epoch_s > 0 &&
      (!setup_.validation || budget_.knows_validation())) {
    RunCosts costs = this->costs();
    costs.epoch_s = epoch_s;
    position_.epochs = budget_.refit(costs, timeline_.epochs(), group_);
  }
  for (const data::CorruptImage& image : setup_.loader->broken()) broken_.emplace_back(image.name, image.why);
  const CorruptList broken = gather_from_all_ranks(group_, broken_);
  update_seconds();
  run_on_rank0(group_, [&] { setup_.recorder->add_epoch(row, broken, *setup_.trainer, position_); });
  setup_.tell(epoch_line(row, timeline_.epochs(), broken.size()));
}

void Run::save() {
  update_seconds();
  run_on_rank0(group_, [&] { setup_.recorder->save(*setup_.trainer, position_); });
}

void Run::stop() {
  save();
  throw Error(ErrorCode::interrupted,
              fmt::format("interrupted at step {} (epoch {:.4g} of {:.4g}); the state is saved", timeline_.steps_done(),
                          timeline_.epochs_done(), timeline_.epochs()),
              "the same command with --resume goes on from here");
}

RunCosts Run::costs() const {
  return {.spent_s = seconds_before_ + seconds_since(options_.started),
          .epochs_done = timeline_.epochs_done(),
          .steps_an_epoch = static_cast<double>(timeline_.batches())};
}

void Run::fit_to_budget() {
  const bool ready = budget_.ready(costs().spent_s, timeline_.epoch_is_over());
  if (broadcast_from_rank0(group_, ready ? "fit" : "").empty()) return;
  if (setup_.validation)
    budget_.set_validation(time_validation(*setup_.trainer, *setup_.validation, budget_.probe_s()));
  std::string warning;
  try {
    position_.epochs = budget_.fit(costs(), group_, warning);
  } catch (const Error& error) {
    // Too short, and nothing is lost: the next try may have this folder.
    if (error.code() == ErrorCode::usage) {
      run_on_rank0(group_, [&] {
        if (CheckpointFolder(options_.out).empty()) setup_.folder->forget();
      });
    }
    throw;
  }
  if (!warning.empty()) setup_.tell(warning);
  setup_.tell(fmt::format("{} are enough for {:.4g} epochs", options_.recipe.train.time_budget, position_.epochs));
}

}  // namespace

Summary run(const RunOptions& options, Group& group) {
  const Tell tell = [&](const std::string& line) {
    if (group.rank() != 0 || !options.progress) return;
    Progress progress;
    progress.message = line;
    options.progress(progress);
  };
  Setup setup;
  setup.device = device_named(options.device);
  setup.tell = tell;
  try {
    if (const std::optional<Summary> done = set_up(options, group, setup)) return *done;
  } catch (const Error& error) {
    // The others got the signal too, and were gone before this process looked for its own.
    if (error.code() == ErrorCode::environment) check_interrupt();
    throw;
  }
  // From here on a signal is answered between steps, where the state can be saved: no file that is being written is
  // given up.
  const DeferInterrupts held;
  return Run(options, group, setup).go();
}

}  // namespace effnet::train
