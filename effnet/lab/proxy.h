// Evaluates an architecture by a short training run, the proxy of a search for its accuracy after a full one.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "effnet/search/nas/evaluator.h"
#include "effnet/search/study/worker.h"
#include "effnet/train/recipe/recipe.h"

namespace effnet::lab {

struct ProxyOptions {
  // The recipe of every trial, with data.folder. Its model, seed and length are set by the trial.
  train::Recipe recipe;
  std::filesystem::path folder;  // receives the run folders of the trials that are being trained
  std::string device = "auto";
  int threads = 1;
  std::function<void(const std::string& line)> log = {};  // what the runs log
};

// Trains the trial's network `spec` for trial.what.budget epochs with trial.what.seed. The score is the top-1 of the
// last epoch in percent, on the validation images. Details:
// {"top1","epochs","seconds","params","macs","images_per_second"}.
//
// A trial that was stopped, or whose worker has died, continues from its last checkpoint. Throws CandidateError if the
// network cannot be built or its training diverges, and the other errors of train::run() as they are: they are about
// the images, the recipe or the machine.
search::Evaluation train_proxy(const search::Trial& trial, const arch::ArchSpec& spec, const ProxyOptions& options);
// Removes the files of train_proxy() in ProxyOptions::folder: the arch file and the run folders of all attempts. Those
// of a failed trial stay, because its message names a file there.
void remove_proxy_files(const search::Trial& trial, const std::filesystem::path& folder);

// The evaluator "proxy": train_proxy() with the recipe of `settings`. The quality is the top-1 from 0 to 1, the budget
// of a trial is its number of epochs. Its details also have "images" and "largest_class": the numbers of validation
// images, and of those of the class that has the most. Throws Error(input) for a wrong recipe and for a dataset that
// cannot be used.
std::unique_ptr<search::Evaluator> make_proxy_evaluator(const search::Space& space,
                                                        const search::EvaluatorSettings& settings,
                                                        const search::EvaluatorPlace& place);

}  // namespace effnet::lab
