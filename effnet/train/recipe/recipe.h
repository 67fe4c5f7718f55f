// A training recipe: what `effnet train RECIPE --set key=value` reads, checks and writes to the run's config.toml. One
// table of settings (settings.cc) has each key with its type, range, default and meaning; parsing, overriding,
// printing and docs/recipes.md come from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/train/recipe/choices.h"
#include "effnet/vision/augment.h"

namespace effnet::train {

struct ModelSettings {
  std::string name = "efficientnet_b0";  // a MODEL (docs/cli.md); a name is trained anew, pulled or not
  std::string init;  // a MODEL with weights or a foreign checkpoint; empty: the paper's initialisation
  double dropout = -1, drop_path = -1;  // below 0: the architecture's own
  std::int64_t classes = 0;             // 0: as many as the data has
};
struct DataSettings {
  std::string folder;           // where --data says nothing
  std::int64_t resolution = 0;  // 0: the model's
  vision::Augment augment = vision::Augment::autoaugment;
  bool shuffle = true;
  int workers = 0;  // loader threads; 0: as many as there are cores, less those that compute on them
  double mixup = 0, cutmix = 0, erasing = 0;
  std::int64_t holdout = 0;  // training images held out for selection, chosen by hash: the paper's minival
  // Beyond docs/cli.md's list:
  double area_low = 0.08;  // of the random crop
  std::int64_t shift = 0;  // pixels a small image is moved by, instead of the random crop
  int randaugment_layers = 2;
  double randaugment_magnitude = 10;
  double broken_limit = 0.01;  // share of images that may be broken, at least 3
  std::int64_t synthetic = 0;  // so many images of noise instead of --data, for measuring speed
};
struct TrainSettings {
  double epochs = 350;
  std::int64_t batch = 256;  // the global batch
  double label_smoothing = 0.1;
  std::int64_t accumulate = 1;  // micro-batches a step, on each process
  double clip_norm = 0;         // of the whole gradient; 0: off
  Precision precision = Precision::fp32;
  std::string time_budget;    // "20m", "2h": epochs are fitted to it; empty: none
  bool fused = true;          // own CPU kernels
  double validate_every = 1;  // epochs
};
struct OptimizerSettings {
  OptimizerKind name = OptimizerKind::rmsprop_tf;
  double lr = -1;             // the peak; below 0: lr_per_256 * batch / 256
  double lr_per_256 = 0.016;  // below 0: lr is set instead
  double momentum = 0.9;      // adamw: beta1
  bool nesterov = false;
  double decay = -1;    // rmsprop_tf: of the mean square; adamw: beta2; below 0: the optimiser's (defaults_of)
  double epsilon = -1;  // below 0: the optimiser's
  double weight_decay = 1e-5;
};
struct ScheduleSettings {
  ScheduleKind name = ScheduleKind::exponential;
  double warmup_epochs = 5, decay_epochs = 2.4, decay_rate = 0.97;
};
struct Recipe {
  ModelSettings model;
  DataSettings data;
  TrainSettings train;
  OptimizerSettings optimizer;
  ScheduleSettings schedule;
  double ema_decay = 0.9999;                        // ema.decay; 0: off
  bool unbiased_moving_variance = false;            // bn.unbiased
  double bn_momentum = -1;                          // bn.momentum; below 0: the architecture's
  bool bn_warmup = true;                            // bn.warmup
  bool sync_bn = false;                             // distributed.sync_bn
  std::int64_t checkpoint_every_steps = 0;          // checkpoint.every_steps; 0: at the end of each epoch only
  std::int64_t checkpoint_keep = 1;                 // checkpoint.keep: the k best
  SavedEpoch checkpoint_result = SavedEpoch::best;  // checkpoint.result
  std::uint64_t seed = 0;
};

struct Override {  // --set key=value
  std::string key, value;
};
Override parse_override(std::string_view text);  // Error(usage) without "="

// `text` may be empty (the defaults). What is left to the optimiser (decay, epsilon) is filled in. Throws Error(input)
// with SOURCE:LINE:COLUMN for a syntax error, an unknown key (with the nearest valid one), a wrong type, a value out of
// range, or both lr and lr_per_256; Error(usage) for the same in an override. An override of one of the two learning
// rates unsets the other.
Recipe parse_recipe(std::string_view text, std::string_view source, const std::vector<Override>& overrides = {});
// "imagenet_b0" (built in, from recipes/) or a file; empty: the defaults. A model.name that is a relative .toml path
// and lies beside the recipe's file is found there. Files that model.name and model.init name become absolute paths.
// Throws Error(input) that lists the names.
Recipe load_recipe(const std::string& name_or_file, const std::vector<Override>& overrides);
std::vector<std::string> recipe_names();

// What model.name names: of the family; an arch file (.toml), also one of those built in with the recipes
// ("cifar10_net.toml"); the arch of a model file, a run or a checkpoint. model.dropout and model.drop_path are put into
// it. Throws Error(input).
arch::ArchSpec load_arch(const ModelSettings& model);

// Every key, in the table's order, with its meaning as a comment; parse_recipe reads back the same recipe.
std::string print(const Recipe& recipe);
// docs/recipes.md.
std::string settings_document();

// Decay and epsilon are given: where they were below 0, the optimiser's defaults.
OptimizerSettings settled(OptimizerSettings settings);

// The learning rate's peak: lr, or lr_per_256 scaled by the batch.
double peak_lr(const Recipe& recipe);
// "90s", "20m", "1h30m" -> seconds. Throws Error(usage) for anything else or nothing.
double parse_seconds(std::string_view budget);

}  // namespace effnet::train
