// The settings of a recipe that are enumerations, each with the table of its names. The recipe parser converts text to
// these values.
#pragma once

#include "effnet/base/names.h"

namespace effnet::train {

// To add an optimiser: add its name and defaults here, and its update rule in step/optimizer.cc.
enum class OptimizerKind { rmsprop_tf, sgd, adamw };
inline constexpr NameTable<OptimizerKind, 3> kOptimizers{{
    {OptimizerKind::rmsprop_tf, "rmsprop_tf"},
    {OptimizerKind::sgd, "sgd"},
    {OptimizerKind::adamw, "adamw"},
}};
struct OptimizerDefaults {
  double decay = 0.9, epsilon = 1e-3;
};
constexpr OptimizerDefaults defaults_of(OptimizerKind kind) {
  return kind == OptimizerKind::adamw ? OptimizerDefaults{.decay = 0.999, .epsilon = 1e-8} : OptimizerDefaults{};
}

enum class ScheduleKind { exponential, cosine, constant };
inline constexpr NameTable<ScheduleKind, 3> kSchedules{{
    {ScheduleKind::exponential, "exponential"},
    {ScheduleKind::cosine, "cosine"},
    {ScheduleKind::constant, "constant"},
}};

enum class Precision { fp32, bf16, fp16 };
inline constexpr NameTable<Precision, 3> kPrecisions{{
    {Precision::fp32, "fp32"},
    {Precision::bf16, "bf16"},
    {Precision::fp16, "fp16"},
}};

// With data.split: the parts that are trained on. val is validated only if it is not trained on, and test is evaluated
// at the end only if val is trained on.
enum class TrainOn { train, train_val, all };
inline constexpr NameTable<TrainOn, 3> kTrainOn{
    {{TrainOn::train, "train"}, {TrainOn::train_val, "train+val"}, {TrainOn::all, "all"}}};

// Weights of the classes in the loss. balanced: inversely proportional to the number of training images of a class.
enum class ClassWeights { none, balanced };
inline constexpr NameTable<ClassWeights, 2> kClassWeights{
    {{ClassWeights::none, "none"}, {ClassWeights::balanced, "balanced"}}};

// The accuracy that a dataset's results are published with. mean_per_class: the mean of the classes' accuracies.
enum class Metric { top1, mean_per_class };
inline constexpr NameTable<Metric, 2> kMetrics{{{Metric::top1, "top1"}, {Metric::mean_per_class, "mean_per_class"}}};

enum class SavedEpoch { best, last };  // the epoch whose weights become the model
inline constexpr NameTable<SavedEpoch, 2> kSavedEpochs{{{SavedEpoch::best, "best"}, {SavedEpoch::last, "last"}}};

}  // namespace effnet::train
