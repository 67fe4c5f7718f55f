// The augmentation of a recipe.
#pragma once

#include "effnet/train/recipe/recipe.h"
#include "effnet/vision/training_view.h"

namespace effnet::train {

// How training turns a photo into an input: the settings data.* of the recipe, with the size, filter, mean and std of
// `evaluation`, the preprocessing rule of the model.
vision::TrainingView training_view(const Recipe& recipe, const Preprocessing& evaluation);

}  // namespace effnet::train
