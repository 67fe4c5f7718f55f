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
  std::string init_file;               // the path of the file with `init`
  std::vector<std::string> warnings;
  Size resolution() const { return evaluation.crop; }
};

// Reads model.name and model.init. model.name is the name of a network, an arch file, a model file, a run folder or a
// checkpoint. model.init is one of these with weights, a name whose weights were pulled, or a published checkpoint that
// fits the architecture. The network gets the batch norm epsilon and the padding of model.init. Throws Error(input).
RunModel open_run_model(const Recipe& recipe);
// The same for an architecture that is not in a file, with random initial weights. Ignores model.name and model.init.
RunModel run_model_of(arch::ArchSpec arch, const Recipe& recipe);

// The rule for validation images: `own`, the model's rule, at another size. `whole_images` (data.shift): without a
// crop, because small images have nothing to spare: at r pixels the official rule keeps r / (r + 32) of each side,
// which is only half at CIFAR's 32 pixels.
Preprocessing validation_rule(const Preprocessing& own, const arch::ArchSpec& arch, Size size, bool whole_images);

// A line for the log about the initial weights. To be called when model.arch.classes is set.
std::string describe_initial_weights(const RunModel& model);
// The initial weights. If model.init has another number of classes, the classifier is initialised from `seed`.
std::shared_ptr<nn::ParameterStore> initial_weights(const RunModel& model, const graph::Graph& graph,
                                                    std::uint64_t seed);

vision::TrainingView training_view(const Recipe& recipe, const RunModel& model);

// The content of model.safetensors.
formats::Model finished_model(const RunModel& model, tensor::Weights weights, const std::vector<std::string>& classes,
                              const Recipe& recipe);

}  // namespace effnet::train
