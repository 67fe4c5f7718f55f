#include "effnet/train/recipe/training_view.h"

namespace effnet::train {

vision::TrainingView training_view(const Recipe& recipe, const Preprocessing& evaluation) {
  vision::TrainingView view;
  view.evaluation = evaluation;
  view.augment = recipe.data.augment;
  view.area_low = recipe.data.area_low;
  view.shift_px = recipe.data.shift;
  view.randaugment_layers = recipe.data.randaugment_layers;
  view.randaugment_magnitude = recipe.data.randaugment_magnitude;
  view.erasing = recipe.data.erasing;
  return view;
}

}  // namespace effnet::train
