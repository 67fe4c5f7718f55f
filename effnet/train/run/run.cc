#include "effnet/train/run/run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "effnet/base/cpu.h"
#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/report/events.h"
#include "effnet/train/distributed/together.h"
#include "effnet/train/recipe/schedule.h"
#include "effnet/train/run/checkpoint_file.h"
#include "effnet/train/run/checks.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/epoch_told.h"
#include "effnet/train/run/evaluate.h"
#include "effnet/train/run/finish.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/run/identity.h"
#include "effnet/train/run/model.h"
#include "effnet/train/run/not_finite.h"
#include "effnet/train/run/resume.h"
#include "effnet/train/run/run_facts.h"
#include "effnet/train/run/time_budget.h"
#include "effnet/train/step/precision.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kEventSteps = 10;  // a scalar of the running epoch is written so often

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Run {
 public:
  Run(const RunOptions& options, Group& group)
      : options_(options),
        recipe_(options.recipe),
        group_(group),
        device_(device_named(options.device)),
        checkpoints_(options.out / "checkpoints"),
        budget_(options.recipe) {}

  std::optional<Summary> set_out();  // the summary of a run that is finished already
  Summary go();

 private:
  bool first() const { return group_.rank() == 0; }
  void tell(const std::string& message) const;

  // Setting out.
  std::optional<Summary> open_folder();
  void open_parts();
  void take_up();

  // The loop.
  double length() const { return position_.epochs > 0 ? position_.epochs : recipe_.train.epochs; }
  std::int64_t steps_done() const { return static_cast<std::int64_t>(position_.epoch) * batches_ + position_.batch; }
  std::int64_t steps_in_all() const;
  double epochs_done() const { return static_cast<double>(steps_done()) / static_cast<double>(batches_); }
  double rate_of_step(std::int64_t step) const;
  void step();
  bool sum_over_ranks(StepResult& result);  // true: a signal came to one of them
  void report_step(double lr);
  void close_epoch();
  void record_epoch(const report::EpochMetrics& row);
  void name_best();
  void save();
  [[noreturn]] void stop();

  RunCosts costs() const;
  void fit_to_budget();

  const RunOptions& options_;
  const Recipe& recipe_;
  Group& group_;
  torch::Device device_;
  CheckpointFolder checkpoints_;
  std::optional<RunFolder> folder_;  // rank 0's
  RunModel model_;
  RunData data_;
  graph::Graph graph_;
  Identity parts_;
  std::string identity_;  // the same as text
  ModelMetadata metadata_;  // of the model to come, for checkpoints; rank 0's
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<data::TrainingLoader> loader_;
  std::optional<ValidationSet> validation_, test_;
  std::unique_ptr<report::EventWriter> events_;
  std::int64_t batches_ = 1;  // an epoch
  double peak_ = 0;
  TimeBudget budget_;

  Position position_;
  Clock::time_point start_;    // of this process's part
  double seconds_before_ = 0;  // of the parts before it
  double part_s_ = 0;          // this process's steps of the running epoch took so long
  std::int64_t part_images_ = 0, part_steps_ = 0;
  std::int64_t validated_ = 0;  // the epoch of the newest validation
  BrokenList broken_;           // this rank's of validation
};

void Run::tell(const std::string& message) const {
  if (!first() || !options_.progress) return;
  Progress progress;
  progress.message = message;
  options_.progress(progress);
}

std::optional<Summary> Run::set_out() {
  if (group_.world() > 1) agree(group_, recipe_facts(recipe_));
  if (std::optional<Summary> done = open_folder()) return done;
  open_parts();
  if (group_.world() > 1) agree(group_, data_facts(data_, parts_));
  take_up();
  if (group_.world() > 1) agree(group_, start_facts(position_, *trainer_));
  return std::nullopt;
}

Summary Run::go() {
  start_ = Clock::now();
  while (steps_done() < steps_in_all() || position_.batch > 0) {
    if (position_.batch == batches_ || steps_done() >= steps_in_all()) {
      close_epoch();
    } else {
      step();
    }
  }
  position_.seconds = seconds_before_ + seconds_since(start_);
  if (first() && folder_) events_->flush();
  return finish_run({.options = options_,
                     .model = model_,
                     .graph = graph_,
                     .data = data_,
                     .folder = folder_ ? &*folder_ : nullptr,
                     .checkpoints = checkpoints_,
                     .identity = identity_,
                     .position = position_,
                     .epochs = length(),
                     .pictures = test_ ? test_ : validation_,
                     .device = device_,
                     .tell = [this](const std::string& message) { tell(message); }},
                    *trainer_, group_);
}

std::optional<Summary> Run::open_folder() {
  std::string done, told;  // told: rank 0 alone
  on_first(group_, [&] {
    folder_.emplace(options_.out);
    if (folder_->holds_a_run() && !options_.resume)
      throw usage_error("{}: holds a run already (expected an empty or a new folder)", options_.out.string())
          .with_hint("--resume goes on with it; another --out begins anew");
    const std::optional<Summary> summary = folder_->finished();
    if (!summary) return;
    const bool stays = stays_finished(*summary, *folder_, recipe_, told);
    if (stays && folder_->has_model()) {
      done = summary_text(*summary);
      return;
    }
    if (!stays && checkpoints_.empty())
      throw input_error("{}: the run is finished, but the checkpoints to go on from are gone", options_.out.string())
          .with_hint("model.init=" + options_.out.string() + " begins a run of its own with its weights");
    if (!stays) return;
    if (checkpoints_.empty())
      throw input_error("{}: the run is finished, but model.safetensors and the checkpoint to make it from are gone",
                        options_.out.string())
          .with_hint(
              "checkpoints/best or an epoch's, if one is left, is a MODEL too; else train again in another folder");
    tell("model.safetensors is gone: it is made again from the checkpoints");
  });
  done = from_first(group_, done);
  if (done.empty()) return std::nullopt;
  tell(told);
  return parse_summary(done);
}

void Run::open_parts() {
  on_each(group_, [&] {
    at::set_num_threads(options_.threads);
    model_ = open_run_model(recipe_);
    data_ = open_run_data(recipe_, options_.data, model_.resolution());
    model_.arch.classes = data_.classes;
    graph_ = graph::lower(model_.arch, {.resolution = model_.resolution()});
    parts_ = identity_of(recipe_, model_, data_);
    identity_ = to_text(parts_);
    peak_ = peak_lr(recipe_);

    data::LoaderOptions loader;
    loader.batch = recipe_.train.batch;
    loader.rank = group_.rank();
    loader.world = group_.world();
    loader.seed = recipe_.seed;
    loader.shuffle = recipe_.data.shuffle;
    loader.workers = recipe_.data.workers > 0 ? recipe_.data.workers : std::max(1, usable_cores() - options_.threads);
    loader.broken_limit = recipe_.data.broken_limit;
    data::LoaderOptions evaluation = loader;
    evaluation.batch = std::max<std::int64_t>(recipe_.train.batch / std::max<std::int64_t>(recipe_.train.accumulate, 1),
                                              group_.world());
    if (data_.validation) validation_ = {data_.validation, model_.evaluation, evaluation};
    if (data_.test) test_ = {data_.test, model_.evaluation, evaluation};
    loader.mixup = recipe_.data.mixup;
    loader.cutmix = recipe_.data.cutmix;
    loader_ = std::make_unique<data::TrainingLoader>(data_.train, training_view(recipe_, model_), loader);
    batches_ = loader_->batches_an_epoch();
  });
  if (const std::string slow = slow_precision(recipe_.train.precision, device_); !slow.empty()) tell(slow);
  for (const std::string& warning : model_.warnings) tell(warning);
  for (const std::string& note : data_.notes) tell(note);
}

// Everything of the run that a checkpoint holds, or its beginning.
void Run::take_up() {
  std::string from;
  std::vector<std::string> changed;
  on_first(group_, [&] {
    if (checkpoints_.empty()) return;
    from = checkpoints_.newest_whole([this](const std::string& message) { tell(message); }).string();
  });
  from = from_first(group_, from);
  on_each(group_, [&] {
    auto store = initial_weights(model_, graph_, recipe_.seed);
    store->to(device_);
    trainer_ = std::make_unique<Trainer>(graph_, std::move(store), recipe_, device_, group_);
    if (!from.empty()) {
      const CheckpointFile checkpoint = open_checkpoint(from);
      restore(checkpoint, from, *trainer_, identity_);
      position_ = checkpoint.position;
      changed =
          told_of_course(changes_of_course(identity_, checkpoint.identity), epochs_done(), rate_of_step(steps_done()));
    }
  });
  on_first(group_, [&] {
    check_the_end(*folder_, recipe_, *trainer_);
    metadata_ = formats::model_metadata(finished_model(model_, {}, data_.train->classes(), recipe_));
    folder_->begin_again();
    position_.metrics_bytes =
        folder_->begin_metrics(position_.metrics_bytes, [this](const std::string& message) { tell(message); });
    folder_->write_config(print(recipe_));
    events_ = std::make_unique<report::EventWriter>(options_.out);
    // A kill between a checkpoint and its names leaves the names behind.
    if (!from.empty() && position_.batch == 0 && position_.epoch > 0 && fs::path(from).filename() == "last")
      name_best();
    if (!from.empty()) events_->restart(steps_done() + 1, wall_seconds());
  });
  seconds_before_ = position_.seconds;
  loader_->seek(position_.epoch, position_.batch);
  const std::string device = device_text(device_.str(), trainer_->isa());
  if (from.empty()) {
    tell(fmt::format("{}: {} parameters at {} px, {} pictures of {} classes, {} steps an epoch on {}{}",
                     model_.arch.name, grouped(graph::costs(graph_).params), to_string(model_.resolution()),
                     grouped(data_.train->size()), data_.train->classes().size(), batches_, device,
                     group_.world() > 1 ? fmt::format(", {} processes", group_.world()) : ""));
    tell(weights_told(model_));
  } else {
    tell(fmt::format("going on from {} at epoch {:.4g} of {:.4g} on {}", from, epochs_done(), length(), device));
    for (const std::string& line : changed) tell(line);
  }
}

std::int64_t Run::steps_in_all() const {
  if (budget_.on() && position_.epochs <= 0) return std::numeric_limits<std::int64_t>::max();  // not fitted yet
  return std::max<std::int64_t>(1, std::llround(length() * static_cast<double>(batches_)));
}

// The schedule is the recipe's, stretched to the run's length: warm-up and decay too.
double Run::rate_of_step(std::int64_t step) const {
  const double stretch = recipe_.train.epochs / length();
  const double epoch = static_cast<double>(step) / static_cast<double>(batches_) * stretch;
  return learning_rate(recipe_.schedule, peak_, epoch, recipe_.train.epochs);
}

void Run::step() {
  const Clock::time_point start = Clock::now();
  const data::Batch batch = loader_->next();
  const double lr = rate_of_step(steps_done());
  StepResult result;
  try {
    result = trainer_->step(batch, lr);
  } catch (const NotFinite& error) {
    throw with_batch_saved(error, batch, model_.resolution(), options_.out, group_.rank());
  }
  const bool stopping = sum_over_ranks(result);
  position_.loss_sum += result.loss;
  position_.right += result.right;
  position_.images += result.images;
  position_.batch += 1;

  const double step_s = seconds_since(start);
  part_s_ += step_s;
  part_images_ += result.images;
  part_steps_ += 1;
  budget_.add_step(step_s);
  report_step(lr);
  if (budget_.on() && position_.epochs <= 0) fit_to_budget();
  if (stopping) stop();
  const std::int64_t every = recipe_.checkpoint_every_steps;
  if (every > 0 && steps_done() % every == 0 && position_.batch < batches_) save();
}

// The loss becomes the sum over the pictures of all ranks.
bool Run::sum_over_ranks(StepResult& result) {
  result.loss *= static_cast<double>(result.images);
  const bool own = interrupted();
  if (group_.world() == 1) return own;
  torch::Tensor sums = torch::tensor({result.loss, static_cast<double>(result.right),
                                      static_cast<double>(result.images), own ? 1.0 : 0.0},
                                     torch::TensorOptions().dtype(torch::kDouble))
                           .to(device_);
  group_.sum(sums);
  sums = sums.cpu();
  const double* sum = sums.data_ptr<double>();
  result.loss = sum[0];
  result.right = std::llround(sum[1]);
  result.images = std::llround(sum[2]);
  return sum[3] > 0;
}

void Run::report_step(double lr) {
  if (!first()) return;
  const double images = static_cast<double>(position_.images);
  if (steps_done() % kEventSteps == 0) {
    const double now = wall_seconds();
    events_->scalar("train/loss", steps_done(), position_.loss_sum / images, now);
    events_->scalar("train/lr", steps_done(), lr, now);
  }
  if (!options_.progress) return;
  Progress progress;
  progress.epoch = static_cast<std::int64_t>(position_.epoch) + 1;
  progress.step = position_.batch;
  progress.steps_an_epoch = batches_;
  progress.epochs = length();
  progress.lr = lr;
  progress.loss = position_.loss_sum / images;
  progress.top1 = 100 * static_cast<double>(position_.right) / images;
  progress.images_per_second = static_cast<double>(part_images_) / part_s_;
  const std::int64_t all = steps_in_all();
  if (all < std::numeric_limits<std::int64_t>::max())
    progress.seconds_left = static_cast<double>(all - steps_done()) * part_s_ / static_cast<double>(part_steps_);
  options_.progress(progress);
}

void Run::close_epoch() {
  const auto epoch = static_cast<std::int64_t>(position_.epoch) + 1;
  const bool last = steps_done() >= steps_in_all();
  const double every = recipe_.train.validate_every;
  const bool due = std::floor(static_cast<double>(epoch) / every) > std::floor(static_cast<double>(epoch - 1) / every);
  std::optional<Validation> validation;
  const Clock::time_point start = Clock::now();
  const auto since = static_cast<double>(epoch - validated_);
  if (validation_ && (last || (due && budget_.validation_is_due(since)))) {
    broken_.clear();
    validation = validate(*trainer_, *validation_, device_, group_, broken_);
    if (!validation) stop();  // the epoch's steps are done; going on validates again
    require_finite(*validation, model_.resolution(), options_.out, group_.rank(), epoch, steps_done());
  }
  if (validation) {
    budget_.validated(seconds_since(start));
    validated_ = epoch;
  }

  const auto images = static_cast<double>(position_.images);
  report::EpochMetrics row;
  row.epoch = epoch;
  row.step = steps_done();
  row.lr = rate_of_step(steps_done() - 1);
  row.train_loss = position_.loss_sum / images;
  row.train_top1 = 100 * static_cast<double>(position_.right) / images;
  row.images_per_second = part_s_ > 0 ? static_cast<double>(part_images_) / part_s_ : 0;
  if (validation) {
    row.val_loss = validation->loss;
    row.val_top1 = validation->top1;
    row.val_top5 = validation->top5;
    row.val_ema_top1 = validation->average_top1;
  }
  const double top1 = row.score().value_or(-1);
  if (top1 > position_.best_top1 || !validation_) {
    position_.best_top1 = top1;
    position_.best_epoch = epoch;
  }
  const double whole_epoch_s =
      part_steps_ > 0 ? part_s_ / static_cast<double>(part_steps_) * static_cast<double>(batches_) : 0;
  position_.epoch += 1;
  position_.batch = 0;
  position_.loss_sum = 0;
  position_.right = position_.images = 0;
  part_s_ = 0;
  part_images_ = part_steps_ = 0;
  const bool fitted = budget_.on() && position_.epochs > 0;
  if (fitted && !last && whole_epoch_s > 0 && (!validation_ || budget_.knows_validation())) {
    RunCosts costs = this->costs();
    costs.epoch_s = whole_epoch_s;
    position_.epochs = budget_.refit(costs, length(), group_);
  }
  record_epoch(row);
}

void Run::record_epoch(const report::EpochMetrics& row) {
  for (const data::BrokenPicture& picture : loader_->broken()) broken_.emplace_back(picture.name, picture.why);
  const BrokenList broken = of_all_ranks(group_, broken_);
  on_first(group_, [&] {
    position_.metrics_bytes = folder_->append_metrics(row);
    if (!broken.empty()) folder_->add_broken(broken);
  });
  save();
  on_first(group_, [&] {
    name_best();
    write_epoch(*events_, row, wall_seconds());
  });
  tell(epoch_line(row, length(), broken.size()));
}

void Run::name_best() {
  checkpoints_.keep_best(static_cast<std::int64_t>(position_.epoch), position_.best_epoch,
                         ranked_epochs(folder_->metrics()), recipe_.checkpoint_keep);
}

void Run::save() {
  position_.seconds = seconds_before_ + seconds_since(start_);
  on_first(group_, [&] {
    events_->flush();
    checkpoints_.write(*trainer_, position_, identity_, metadata_);
  });
}

void Run::stop() {
  save();
  throw Error(ErrorCode::interrupted,
              fmt::format("interrupted at step {} (epoch {:.4g} of {:.4g}); the state is saved", steps_done(),
                          epochs_done(), length()),
              "the same command with --resume goes on from here");
}

RunCosts Run::costs() const {
  return {.spent_s = seconds_before_ + seconds_since(options_.started),
          .epochs_done = epochs_done(),
          .steps_an_epoch = static_cast<double>(batches_)};
}

void Run::fit_to_budget() {
  const bool ready = budget_.ready(costs().spent_s, position_.batch == batches_);
  if (from_first(group_, ready ? "fit" : "").empty()) return;
  if (validation_) budget_.set_validation(time_validation(*trainer_, *validation_, budget_.probe_s()));
  std::string warning;
  try {
    position_.epochs = budget_.fit(costs(), group_, warning);
  } catch (const Error& error) {
    // Too short, and nothing is lost: the next try may have this folder.
    if (error.code() == ErrorCode::usage) {
      on_first(group_, [&] {
        if (checkpoints_.empty()) folder_->forget();
      });
    }
    throw;
  }
  if (!warning.empty()) tell(warning);
  tell(fmt::format("{} are enough for {:.4g} epochs", recipe_.train.time_budget, position_.epochs));
}

}  // namespace

Summary run(const RunOptions& options, Group& group) {
  Run run(options, group);
  try {
    if (const std::optional<Summary> done = run.set_out()) return *done;
  } catch (const Error& error) {
    // The others got the signal too, and were gone before this process looked for its own.
    if (error.code() == ErrorCode::environment) check_interrupt();
    throw;
  }
  // From here on a signal is answered between steps, where the state can be saved: no file that is being written is
  // given up.
  const InterruptsHeld held;
  return run.go();
}

}  // namespace effnet::train
