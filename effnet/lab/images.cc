#include "effnet/lab/images.h"

namespace effnet::lab {

Images open_images(const arch::ArchSpec& spec, const train::Recipe& recipe) {
  Images images;
  images.model = train::run_model_of(spec, recipe);
  images.data = train::open_run_data(recipe, recipe.data.folder, images.model.resolution());
  images.model.arch.classes = images.data.classes;
  return images;
}

arch::ArchSpec without_drops(arch::ArchSpec spec) {
  spec.dropout = spec.drop_path = 0;
  return spec;
}

}  // namespace effnet::lab
