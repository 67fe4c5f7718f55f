#include "effnet/cli/load.h"

#include <malloc.h>

#include "effnet/arch/family.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/published.h"
#include "effnet/engine/file_identity.h"
#include "effnet/engine/random_weights.h"
#include "effnet/formats/labels.h"

namespace effnet::cli {

void LoadOptions::declare(CLI::App& command) {
  command.add_flag("--random", random, "Random weights, even where pulled ones exist");
  add_seed(command, seed, "Seed of random weights [0]");
}

LoadedModel::LoadedModel(const std::string& model, const LoadOptions& options, ThreadPool& pool, Output& out)
    : pool_(pool), out_(out) {
  using formats::Pulled;
  formats::FoundModel found = formats::find_model(model, options.random ? Pulled::ignore : Pulled::find);
  weights_ = options.random ? formats::WeightsFrom::random : found.weights;
  if (weights_ != formats::WeightsFrom::random) {
    file_ = std::move(found.file);
    identity_ = engine::read_identified(file_, [this] { model_ = formats::read_model(file_); });
    return;
  }
  formats::Described network = formats::describe(found);
  std::string warning =
      fmt::format("{} has random weights (seed {}): its answers mean nothing", network.arch.name, options.seed);
  if (!options.random && can_be_pulled(found.name))
    warning += fmt::format("; effnet pull {} fetches published ones", found.name);
  std::error_code ignored;
  if (!found.name.empty() && std::filesystem::exists(model, ignored))
    warning += fmt::format("; ./{} would be what has this name in the current folder", model);
  out.warn(warning);
  seed_ = options.seed;
  identity_ = fmt::format("random {} seed {}", engine::kRandomWeightsVersion, options.seed);
  model_.arch = std::move(network.arch);
  model_.preprocessing = network.preprocessing;
  if (model_.arch.classes == static_cast<std::int64_t>(formats::imagenet1k().labels.size())) {
    model_.labels = formats::imagenet1k().labels;
    model_.class_ids = formats::imagenet1k().class_ids;
  }
}

LoadedModel::LoadedModel(formats::Model model, ThreadPool& pool, Output& out)
    : pool_(pool), out_(out), model_(std::move(model)) {}

const formats::Model& LoadedModel::whole() {
  if (!model_.weights.tensors.empty()) return model_;
  if (!file_.empty()) {
    formats::Model again;  // of the same file: its weights belong to what was read before
    engine::read_identified(
        file_, [&] { again = formats::read_model(file_); }, identity_);
    model_.weights = std::move(again.weights);
  } else if (seed_) {
    model_.weights = engine::random_weights(model_.arch, model_.arch.classes, *seed_, pool_);
  }
  return model_;
}

void LoadedModel::forget_weights() {
  if (file_.empty() && !seed_) return;  // nowhere to get them again
  model_.weights = {};
  ::malloc_trim(0);
}

}  // namespace effnet::cli
