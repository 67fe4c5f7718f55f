#include "effnet/lab/proxy.h"

#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/run/run.h"

namespace effnet::lab {

search::Evaluation train_proxy(const search::Trial& trial, const ProxyOptions& options) {
  // Each attempt has a folder of its own, because the worker of an earlier attempt may still be alive.
  const std::filesystem::path run = options.folder / fmt::format("trial-{}-{}", trial.id, trial.attempts);
  make_folders(run);
  const std::filesystem::path arch = run / "arch.toml";
  write_text(arch, arch::print(options.arch_of(trial.what.candidate)));

  train::Recipe recipe = options.recipe;
  recipe.model.name = arch.string();
  recipe.seed = trial.what.seed;
  recipe.train.epochs = trial.what.budget;
  recipe.train.time_budget.clear();
  recipe.train.validate_every = 1e6;  // only at the end: the score is that of the last epoch
  recipe.checkpoint_result = train::SavedEpoch::last;
  const std::unique_ptr<train::Group> group = train::single_process();
  const train::Summary summary = train::run({.recipe = recipe,
                                             .data = recipe.data.folder,
                                             .out = run / "run",
                                             .resume = true,
                                             .device = options.device,
                                             .threads = options.threads,
                                             .progress =
                                                 [&](const train::Progress& progress) {
                                                   if (!progress.message.empty() && options.log)
                                                     options.log(progress.message);
                                                 }},
                                            *group);
  if (summary.saved_top1 < 0)
    throw input_error("{}: no validation images (expected val/ or test/, or data.holdout)", recipe.data.folder);
  std::error_code ignored;
  std::filesystem::remove_all(run, ignored);
  const nlohmann::json details{{"top1", summary.saved_top1}, {"epochs", summary.epochs},
                               {"seconds", summary.seconds}, {"params", summary.params},
                               {"macs", summary.macs},       {"images_per_second", summary.images_per_second}};
  return {summary.saved_top1, details.dump()};
}

}  // namespace effnet::lab
