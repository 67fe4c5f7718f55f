// What a run trains: the architecture with the recipe's changes, how its images are prepared, and the weights that it
// begins with.
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
  arch::ArchSpec arch;  // resolution and dropout are the recipe's; classes come with the data
  Preprocessing evaluation;
  std::optional<formats::Model> init;  // weights to begin with
  std::string init_file;               // where they are from
  std::vector<std::string> warnings;
  Size resolution() const { return evaluation.crop; }
};

// Reads model.name (a name of the family, an arch file, a model file, a run or a checkpoint of one) and model.init (any
// of these that has weights, pulled ones too, or a published checkpoint that fits the architecture: its source's
// epsilon and padding become the network's). Throws Error(input).
RunModel open_run_model(const Recipe& recipe);

// A classifier of other classes than the weights' begins anew, from the seed.
std::string describe_initial_weights(const RunModel& model);  // a line for the log; model.arch.classes is the data's
std::shared_ptr<nn::ParameterStore> initial_weights(const RunModel& model, const graph::Graph& graph,
                                                    std::uint64_t seed);

vision::TrainingView training_view(const Recipe& recipe, const RunModel& model);

// model.safetensors.
formats::Model finished_model(const RunModel& model, tensor::Weights weights, const std::vector<std::string>& classes,
                              const Recipe& recipe);

}  // namespace effnet::train
