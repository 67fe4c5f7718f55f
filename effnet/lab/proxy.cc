#include "effnet/lab/proxy.h"

#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/images.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/run/run.h"
#include "effnet/train/step/trainer.h"

namespace effnet::lab {

namespace {

namespace fs = std::filesystem;

// Each attempt has a run folder of its own, because the worker of an earlier attempt may still be alive.
fs::path run_folder(const search::Trial& trial, int attempt, const fs::path& folder) {
  return folder / fmt::format("trial-{}-{}", trial.id, attempt);
}

// The run folder of this attempt. If the worker of an earlier attempt has died, its run folder gets the new name, and
// the training continues from its checkpoint. A living worker holds the lock of its run.
fs::path take_over(const search::Trial& trial, const fs::path& folder) {
  fs::path own = run_folder(trial, trial.attempts, folder);
  std::error_code ignored;
  for (int attempt = trial.attempts - 1; attempt > 0 && !fs::exists(own, ignored); --attempt) {
    const fs::path earlier = run_folder(trial, attempt, folder);
    if (fs::exists(earlier, ignored) && FileLock::try_lock(earlier / train::kLockFile))
      fs::rename(earlier, own, ignored);
  }
  return own;
}

fs::path arch_file(const search::Trial& trial, const fs::path& folder) {
  return folder / fmt::format("trial-{}.toml", trial.id);
}

class ProxyEvaluator final : public search::Evaluator {
 public:
  ProxyEvaluator(ProxyOptions options, const train::RunData& data)
      : options_(std::move(options)),
        classes_(data.classes),
        images_(data.validation->size()),
        largest_class_(largest_class(*data.validation)) {}

  search::Quality evaluate(const arch::ArchSpec& spec, const search::Point&, const search::Trial& trial) override {
    const search::Evaluation trained = train_proxy(trial, spec, options_);
    nlohmann::json details = nlohmann::json::parse(trained.details);
    details["images"] = images_;
    details["largest_class"] = largest_class_;
    return {.value = trained.score / 100, .details = details.dump()};
  }
  std::int64_t classes() const override { return classes_; }
  void remove_files(const search::Trial& trial) override { remove_proxy_files(trial, options_.folder); }

 private:
  ProxyOptions options_;
  std::int64_t classes_;
  std::int64_t images_, largest_class_;  // of the validation
};

// Throws CandidateError if the network cannot be built.
void check_network(const arch::ArchSpec& spec, const train::Recipe& recipe) {
  const train::RunModel model = train::run_model_of(spec, recipe);  // its errors are about the recipe
  try {
    static_cast<void>(graph::lower(model.arch, {.resolution = model.resolution()}));
  } catch (const Error& error) {
    throw search::CandidateError(error.what());
  }
}

// train::run() of a trial. A training that diverges is the network's fault.
train::Summary train_network(const train::RunOptions& options) {
  const std::unique_ptr<train::Group> group = train::single_process();
  try {
    return train::run(options, *group);
  } catch (const train::NotFinite& error) {
    throw search::CandidateError(error.what());
  }
}

Error no_validation_images(const train::Recipe& recipe) {
  return input_error("{}: no validation images (expected val/ or test/, or data.holdout)",
                     recipe.data.folder.empty() ? "data.synthetic" : recipe.data.folder);
}

}  // namespace

search::Evaluation train_proxy(const search::Trial& trial, const arch::ArchSpec& spec, const ProxyOptions& options) {
  check_network(spec, options.recipe);
  make_folders(options.folder);
  const fs::path arch = arch_file(trial, options.folder);
  write_text(arch, arch::print(spec));

  train::Recipe recipe = options.recipe;
  recipe.model.name = arch.string();
  recipe.seed = trial.what.seed;
  recipe.train.epochs = trial.what.budget;
  recipe.train.time_budget.clear();
  recipe.train.validate_every = 1e6;  // only at the end: the score is that of the last epoch
  recipe.checkpoint_result = train::SavedEpoch::last;
  const train::Summary summary = train_network({.recipe = recipe,
                                                .data = recipe.data.folder,
                                                .out = take_over(trial, options.folder),
                                                .resume = true,
                                                .device = options.device,
                                                .threads = options.threads,
                                                .progress = [&](const train::Progress& progress) {
                                                  if (!progress.message.empty() && options.log)
                                                    options.log(progress.message);
                                                }});
  if (summary.saved_top1 < 0) throw no_validation_images(recipe);
  const nlohmann::json details{{"top1", summary.saved_top1}, {"epochs", summary.epochs},
                               {"seconds", summary.seconds}, {"params", summary.params},
                               {"macs", summary.macs},       {"images_per_second", summary.images_per_second}};
  return {summary.saved_top1, details.dump()};
}

void remove_proxy_files(const search::Trial& trial, const fs::path& folder) {
  if (trial.state == search::TrialState::failed) return;
  std::error_code ignored;
  fs::remove(arch_file(trial, folder), ignored);
  for (int attempt = 1; attempt <= trial.attempts; ++attempt)
    fs::remove_all(run_folder(trial, attempt, folder), ignored);
}

std::unique_ptr<search::Evaluator> make_proxy_evaluator(const search::Space& space,
                                                        const search::EvaluatorSettings& settings,
                                                        const search::EvaluatorPlace& place) {
  ProxyOptions options{.recipe = train::parse_recipe(settings.recipe, kStudyRecipe),
                       .folder = place.folder,
                       .device = place.device,
                       .threads = place.threads,
                       .log = place.log};
  // Throws now, and not in every trial.
  const Images images = open_images(space.base, options.recipe);
  if (!images.data.validation) throw no_validation_images(options.recipe);
  return std::make_unique<ProxyEvaluator>(std::move(options), images.data);
}

}  // namespace effnet::lab
