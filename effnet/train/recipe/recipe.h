// A training recipe: the settings that `effnet train RECIPE --set key=value` reads, checks and writes to the run's
// config.toml. Parsing, overriding, printing and docs/recipes.md all use one table (settings.cc), which has the type,
// range and meaning of each key. The defaults are those of the structs below.
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
  // A MODEL (docs/cli.md). If it is the name of a network, weights from `effnet pull` are not used.
  std::string name = "efficientnet_b0";
  // A MODEL with weights, or a published checkpoint. Empty: if `name` is a file with weights, those weights; else the
  // paper's initialisation.
  std::string init;
  double dropout = -1, drop_path = -1;  // below 0: the architecture's value
  std::int64_t classes = 0;             // 0: the number of classes in the dataset
  std::string freeze;                   // a block: it and all blocks before it are not trained; empty: none
};
struct DataSettings {
  std::string folder;  // used if --data is not given
  std::string labels;  // a list of labels (data::Source); empty: none
  std::string split;   // a split file (data/split_file.h); empty: the splits of the source
  TrainOn train_on = TrainOn::train;
  std::int64_t resolution = 0;  // height and width in pixels; 0: the model's resolution
  vision::Augment augment = vision::Augment::autoaugment;
  bool shuffle = true;
  int workers = 0;  // loader threads; 0: usable cores minus --threads, at least 1
  double mixup = 0, cutmix = 0, erasing = 0;
  std::int64_t holdout = 0;  // training images held out to select the best epoch, chosen by hash (the paper's minival)
  double area_low = 0.08;    // smallest area of the random crop, as a fraction of the image
  std::int64_t shift = 0;    // largest random shift in pixels, which replaces the random crop; 0: off
  int randaugment_layers = 2;
  double randaugment_magnitude = 10;
  double broken_limit = 0.01;  // largest fraction of corrupt images; a limit above 0 allows at least 3 images
  std::int64_t synthetic = 0;  // number of noise images to train on instead of --data, to measure speed; 0: off
};
struct TrainSettings {
  double epochs = 350;
  std::int64_t batch = 256;  // global batch size, over all processes
  double label_smoothing = 0.1;
  std::int64_t accumulate = 1;  // micro-batches per step in each process
  double clip_norm = 0;         // largest norm of the gradient over all parameters; 0: no clipping
  Precision precision = Precision::fp32;
  std::string time_budget;    // "20m", "2h": the run gets as many epochs as fit into this time; empty: no budget
  bool fused = true;          // effnet's fused CPU kernels
  double validate_every = 1;  // in epochs
  double patience = 0;        // the run ends after this many epochs without a better validation; 0: never early
  ClassWeights class_weights = ClassWeights::none;
};
struct OptimizerSettings {
  OptimizerKind name = OptimizerKind::rmsprop_tf;
  double lr = -1;             // peak learning rate; below 0: lr_per_256 * batch / 256
  double lr_per_256 = 0.016;  // peak learning rate for a batch of 256; below 0: lr is used
  double momentum = 0.9;      // adamw: beta1
  bool nesterov = false;
  double decay = -1;    // rmsprop_tf: decay of the mean square; adamw: beta2; below 0: the default (defaults_of)
  double epsilon = -1;  // below 0: the optimiser's default
  double weight_decay = 1e-5;
  double layer_decay = 1;  // factor of the learning rate from each block to the one before it; 1: off
};
struct ScheduleSettings {
  ScheduleKind name = ScheduleKind::exponential;
  double warmup_epochs = 5, decay_epochs = 2.4, decay_rate = 0.97;
};
// What the dataset must have, so that a published figure is comparable. 0: not checked.
struct ExpectSettings {
  std::int64_t classes = 0;
  std::int64_t train_images = 0;  // of train and val if the dataset has test, otherwise of train
  std::int64_t test_images = 0;   // of test, otherwise of val
  Metric metric = Metric::top1;   // that results on this dataset are published with
};
struct Recipe {
  ModelSettings model;
  DataSettings data;
  TrainSettings train;
  OptimizerSettings optimizer;
  ScheduleSettings schedule;
  ExpectSettings expect;
  // Each comment below begins with the key of the setting.
  double ema_decay = 0.9999;                        // ema.decay; 0: off
  bool unbiased_moving_variance = false;            // bn.unbiased
  double bn_momentum = -1;                          // bn.momentum; below 0: the architecture's value
  bool bn_warmup = true;                            // bn.warmup
  bool bn_fixed = false;                            // bn.fixed
  bool sync_bn = false;                             // distributed.sync_bn
  std::int64_t checkpoint_every_steps = 0;          // checkpoint.every_steps; 0: only at the end of an epoch
  std::int64_t checkpoint_keep = 1;                 // checkpoint.keep: number of best checkpoints
  SavedEpoch checkpoint_result = SavedEpoch::best;  // checkpoint.result
  std::uint64_t seed = 0;
};

struct Override {  // --set key=value
  std::string key, value;
};
Override parse_override(std::string_view text);  // throws Error(usage) if there is no "=" or no key before it

// Parses `text` and applies `overrides`. A recipe with `base = "NAME"` changes the settings of another one: a built-in
// recipe, or a file relative to the folder of `source`. A setting that is not given has its default, which for decay
// and epsilon depends on the optimiser. An override of one of the two learning rates unsets the other. Throws
// Error(input) with SOURCE:LINE:COLUMN for a syntax error, an unknown key (with the nearest valid one), a wrong type, a
// value out of range, or both lr and lr_per_256. Throws Error(usage) for the same errors in an override.
Recipe parse_recipe(std::string_view text, std::string_view source, const std::vector<Override>& overrides = {});
// Loads a built-in recipe ("imagenet_b0") or a file; an empty name gives the defaults. A model.name that ends in .toml
// is first looked for in the folder of the recipe file. If model.name or model.init is the path of a file, it becomes
// absolute. If there is no such recipe, throws Error(input) that lists the built-in recipes.
Recipe load_recipe(const std::string& name_or_file, const std::vector<Override>& overrides);
std::vector<std::string> recipe_names();

// The architecture of model.name with model.dropout and model.drop_path applied. model.name is the name of a network,
// an arch file (.toml; "cifar10_net.toml" and others are built in), a model file, a run folder or a checkpoint. Throws
// Error(input) if it is none of them.
arch::ArchSpec load_arch(const ModelSettings& model);
arch::ArchSpec with_drop_rates(arch::ArchSpec spec, const ModelSettings& model);  // model.dropout, model.drop_path

// The recipe as TOML: every key in the table's order, with its meaning as a comment. parse_recipe reads back the same
// recipe.
std::string print(const Recipe& recipe);
// The text of docs/recipes.md.
std::string settings_document();

// Returns `settings`; a decay or epsilon below 0 is replaced by the optimiser's default.
OptimizerSettings with_optimizer_defaults(OptimizerSettings settings);

// The peak learning rate: lr, or lr_per_256 * batch / 256.
double peak_lr(const Recipe& recipe);
// "90s", "20m", "1h30m" in seconds. Throws Error(usage) for an empty text or another syntax.
double parse_seconds(std::string_view budget);

}  // namespace effnet::train
