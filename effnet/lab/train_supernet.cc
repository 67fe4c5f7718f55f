#include "effnet/lab/train_supernet.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/images.h"
#include "effnet/lab/supernet.h"
#include "effnet/lab/supernet_file.h"
#include "effnet/search/space/extreme_point.h"
#include "effnet/train/run/checkpoint.h"
#include "effnet/train/run/identity.h"
#include "effnet/train/run/meters.h"
#include "effnet/train/run/resume.h"
#include "effnet/train/run/timeline.h"
#include "effnet/train/step/device.h"
#include "effnet/train/step/loss.h"
#include "effnet/train/step/trainer.h"

namespace effnet::lab {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

fs::path with_suffix(const fs::path& file, const char* suffix) { return file.string() + suffix; }

void check_supported(const train::Recipe& recipe) {
  const auto require_unset = [](bool unset, const char* key) {
    if (!unset) throw usage_error("--set {}: not supported for a supernet (got a value, expected the default)", key);
  };
  require_unset(recipe.train.time_budget.empty(), "train.time_budget");
  require_unset(recipe.model.freeze.empty(), "model.freeze");
  require_unset(!recipe.bn_fixed, "bn.fixed");
}

// Holds FILE.lock while a process trains FILE.
class Lock {
 public:
  explicit Lock(const fs::path& file) : path_(with_suffix(file, ".lock")), lock_(FileLock::try_lock(path_)) {
    if (!lock_) {
      throw environment_error("{}: another process trains this supernet (got a lock, expected none)", file.string())
          .with_hint("wait until it has ended, or give another -o");
    }
  }
  ~Lock() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  fs::path path_;
  std::unique_ptr<FileLock> lock_;
};

class SupernetRun {
 public:
  SupernetRun(const search::Space& space, const SupernetOptions& options);
  SupernetSummary train();

 private:
  std::shared_ptr<nn::Network> network(const search::Point& point) const;
  std::vector<std::shared_ptr<nn::Network>> networks_of_step(std::int64_t number) const;
  void resume();
  void step();
  void save();
  void log(const std::string& line) const;
  double seconds() const { return seconds_before_ + std::chrono::duration<double>(Clock::now() - start_).count(); }

  search::Space given_;  // as the caller gave it; the file stores its text
  search::Space space_;  // with the recipe's settings and the classes of the images
  const SupernetOptions& options_;
  torch::Device device_;
  Images images_;
  std::string identity_;
  std::unique_ptr<train::Group> group_ = train::single_process();
  std::unique_ptr<train::Trainer> trainer_;
  std::unique_ptr<data::TrainingLoader> loader_;
  std::vector<std::shared_ptr<nn::Network>> extremes_;  // for the sandwich rule
  train::Position position_;
  std::optional<train::Timeline> timeline_;
  std::optional<train::Meters> meters_;
  Clock::time_point start_ = Clock::now();
  double seconds_before_ = 0;
};

SupernetRun::SupernetRun(const search::Space& space, const SupernetOptions& options)
    : given_(space), space_(space), options_(options), device_(train::device_named(options.device)) {
  const train::Recipe& recipe = options.recipe;
  at::set_num_threads(options.threads);
  images_ = open_images(space.base, recipe);
  space_.base = images_.model.arch;

  train::Identity identity = train::identity_of(recipe, images_.model, images_.data);
  identity.settings.push_back({"sandwich", options.sandwich ? "true" : "false"});
  identity.arch = search::print(space_);
  identity_ = train::to_text(identity);

  graph::Graph graph = supernet_graph(space_);
  auto store = nn::ParameterStore::initialised(graph, recipe.seed);
  std::vector<float> class_weights;
  if (recipe.train.class_weights == train::ClassWeights::balanced)
    class_weights = train::balanced_weights(*images_.data.train, images_.data.classes);
  trainer_ = std::make_unique<train::Trainer>(std::move(graph), std::move(store), recipe, device_, *group_,
                                              std::move(class_weights));

  data::LoaderOptions loader = train::loader_options(recipe, options.threads);
  loader.mixup = recipe.data.mixup;
  loader.cutmix = recipe.data.cutmix;
  loader_ =
      std::make_unique<data::TrainingLoader>(images_.data.train, train::training_view(recipe, images_.model), loader);
  timeline_.emplace(recipe, loader_->batches_per_epoch(), position_);
  meters_.emplace(*timeline_, position_);
}

void SupernetRun::log(const std::string& line) const {
  if (!options_.progress) return;
  train::Progress progress;
  progress.message = line;
  options_.progress(progress);
}

// The network of a point, which reads slices of the supernet's tensors.
std::shared_ptr<nn::Network> SupernetRun::network(const search::Point& point) const {
  const arch::ArchSpec child = search::network_of(space_, point);
  return std::make_shared<nn::Network>(graph::lower(child), std::make_shared<ChildSource>(child, trainer_->weights()),
                                       trainer_->network_options());
}

// The drawn networks depend on the seed and the number of the step only, so a resumed training draws the same ones.
std::vector<std::shared_ptr<nn::Network>> SupernetRun::networks_of_step(std::int64_t number) const {
  Draws draws({.seed = options_.recipe.seed, .epoch = 0, .sample = static_cast<std::uint64_t>(number)}, "supernet");
  std::vector<std::shared_ptr<nn::Network>> networks = extremes_;
  const std::size_t drawn = options_.sandwich ? 2 : 1;
  networks.reserve(networks.size() + drawn);
  for (std::size_t i = 0; i < drawn; ++i) networks.push_back(network(search::sample(space_, draws)));
  return networks;
}

void SupernetRun::save() {
  position_.seconds = seconds();
  train::write_checkpoint(with_suffix(options_.file, ".checkpoint"), *trainer_, position_, identity_);
}

void SupernetRun::resume() {
  const fs::path file = with_suffix(options_.file, ".checkpoint");
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    const train::CheckpointFile checkpoint = train::open_checkpoint(file);
    std::vector<std::string> changes;
    try {
      train::restore(checkpoint, file, *trainer_, identity_);
      position_ = checkpoint.position;
      seconds_before_ = position_.seconds;
      changes =
          train::describe_changes(train::changes_on_resume(identity_, checkpoint.identity), timeline_->epochs_done(),
                                  timeline_->learning_rate_of_step(timeline_->steps_done()));
    } catch (const Error& error) {  // its hint is about the options of effnet train
      throw Error(error.code(), error.what(),
                  fmt::format("continue with the options that it was begun with; to begin again, remove {}",
                              path_in_shell(file.string())));
    }
    log(fmt::format("resuming from {} at epoch {:.4g} of {:.4g}", file.string(), timeline_->epochs_done(),
                    timeline_->epochs()));
    for (const std::string& line : changes) log(line);
  }
  if (!timeline_->last_step_is_done()) loader_->seek(position_.epoch, position_.batch);
}

void SupernetRun::step() {
  const Clock::time_point start = Clock::now();
  const std::int64_t number = timeline_->steps_done();
  const data::Batch batch = loader_->next();
  const double lr = timeline_->learning_rate_of_step(number);
  const std::vector<std::shared_ptr<nn::Network>> networks = networks_of_step(number);
  train::StepResult result;
  try {
    result = trainer_->step(batch, lr, networks);
  } catch (const train::NotFinite& error) {
    throw Error(error.code(), error.what(),
                fmt::format("a lower optimizer.lr, a longer schedule.warmup_epochs or train.clip_norm may help: change "
                            "them with --set; the same command continues from {}.checkpoint if that file exists",
                            options_.file.string()));
  }
  const bool stopping = interrupted();
  meters_->add(train::sum_over_ranks(result, stopping, *group_, device_),
               std::chrono::duration<double>(Clock::now() - start).count());
  if (options_.progress) options_.progress(meters_->progress(lr));
  const bool last = timeline_->last_step_is_done(), epoch_ends = timeline_->epoch_is_over() && !last;
  if (epoch_ends) {
    log(fmt::format("epoch {} of {:.4g}: loss {:.4f}", position_.epoch + 1, timeline_->epochs(), meters_->mean_loss()));
    meters_->begin_next_epoch();
  }
  if (epoch_ends || last || stopping || timeline_->checkpoint_is_due()) save();
  if (stopping)
    throw Error(ErrorCode::interrupted,
                fmt::format("interrupted at step {} (epoch {:.4g} of {:.4g}); the state is saved",
                            timeline_->steps_done(), timeline_->epochs_done(), timeline_->epochs()),
                "the same command continues from here");
}

SupernetSummary SupernetRun::train() {
  SupernetSummary summary{.device = device_.str()};
  for (const nn::ParameterStore::Entry& entry : trainer_->weights()->entries()) {
    if (!entry.statistic) summary.params += entry.tensor.numel();
  }
  log(fmt::format("supernet of {}: {} parameters at {} px, {} of {}, {} per epoch on {}", space_.name,
                  grouped(summary.params), to_string(images_.model.resolution()),
                  count_of(images_.data.train->size(), "image"), count_of(images_.data.classes, "class"),
                  count_of(timeline_->batches(), "step"), summary.device));
  resume();
  if (options_.sandwich) {
    for (const search::Extreme extreme : {search::Extreme::cheapest, search::Extreme::most_expensive})
      extremes_.push_back(network(search::extreme_point(space_, extreme, graph::count_macs)));
  }
  while (!timeline_->last_step_is_done()) step();
  write_supernet(options_.file, given_, options_.recipe, trainer_->averaged_weights());
  const train::Progress last = meters_->progress(0);
  summary.steps = timeline_->steps_done();
  summary.epochs = timeline_->epochs_done();
  summary.loss = last.loss;
  summary.top1 = last.top1;
  summary.seconds = seconds();
  return summary;
}

}  // namespace

SupernetSummary train_supernet(const search::Space& space, const SupernetOptions& options) {
  check_supported(options.recipe);
  const Lock lock(options.file);
  const fs::path checkpoint = with_suffix(options.file, ".checkpoint");
  std::error_code ignored;
  // With a checkpoint the file is one that was written just before its process was killed; it is written again.
  if (fs::exists(options.file, ignored) && !fs::exists(checkpoint, ignored)) {
    throw usage_error("{}: the file exists (expected a new file)", options.file.string())
        .with_hint("remove it, or give another -o");
  }
  SupernetSummary summary;
  {
    SupernetRun run(space, options);
    // From here on a signal stops the training only between steps, where the state can be saved.
    const DeferInterrupts held;
    summary = run.train();
  }
  fs::remove(checkpoint, ignored);
  return summary;
}

}  // namespace effnet::lab
