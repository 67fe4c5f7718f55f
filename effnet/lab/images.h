// The images of a recipe for evaluators, which make many networks for one dataset.
#pragma once

#include "effnet/arch/spec.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/model.h"

namespace effnet::lab {

inline constexpr const char* kStudyRecipe = "the study's recipe";  // the source in messages about a stored recipe

struct Images {
  train::RunModel model;  // `arch`: the network with the settings of the recipe and the number of classes of the data
  train::RunData data;
};
// Opens recipe.data.folder. Throws Error(input) for a dataset that cannot be used, Error(usage) if none is given.
Images open_images(const arch::ArchSpec& spec, const train::Recipe& recipe);

std::int64_t largest_class(const data::Dataset& images);  // the number of images of the class that has the most

// The network without dropout and drop path. Its parameters have the same names and sizes. For forward passes in which
// batch norm uses the statistics of the batch, but nothing is dropped.
arch::ArchSpec without_drops(arch::ArchSpec spec);

}  // namespace effnet::lab
