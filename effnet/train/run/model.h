// The model that a run trains: the architecture with the recipe's changes, the preprocessing rule, and the initial
// weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effnet/data/loader.h"
#include "effnet/formats/model_file.h"
#include "effnet/nn/network.h"
#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

struct RunModel {
  arch::ArchSpec arch;       // with the recipe's resolution and dropout; the caller sets the number of classes
  Preprocessing evaluation;  // the rule for validation images
  std::optional<formats::Model> init;  // the initial weights; null: the paper's initialisation
  std::string init_file;               // the file of `init`
  std::vector<std::string> warnings;
  Size resolution() const { return evaluation.crop; }
};

// Reads model.name (a name of the family, an arch file, a model file, a run or a checkpoint) and model.init (one of
// these with weights, also a pulled name, or a published checkpoint that fits the architecture; the epsilon and padding
// of its source become those of the network). Throws Error(input).
RunModel open_run_model(const Recipe& recipe);

// A line for the log about the initial weights. model.arch.classes must be that of the dataset.
std::string describe_initial_weights(const RunModel& model);
// The initial weights. The classifier is initialised from `seed` if its number of classes differs from that of
// model.init.
std::shared_ptr<nn::ParameterStore> initial_weights(const RunModel& model, const graph::Graph& graph,
                                                    std::uint64_t seed);

vision::TrainingView training_view(const Recipe& recipe, const RunModel& model);

// The content of model.safetensors.
formats::Model finished_model(const RunModel& model, tensor::Weights weights, const std::vector<std::string>& classes,
                              const Recipe& recipe);

}  // namespace effnet::train
