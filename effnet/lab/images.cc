#include "effnet/lab/images.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace effnet::lab {

Images open_images(const arch::ArchSpec& spec, const train::Recipe& recipe) {
  Images images;
  images.model = train::run_model_of(spec, recipe);
  images.data = train::open_run_data(recipe, recipe.data.folder, images.model.resolution());
  images.model.arch.classes = images.data.classes;
  return images;
}

std::int64_t largest_class(const data::Dataset& images) {
  std::vector<std::int64_t> counts(images.classes().size());
  for (std::int64_t i = 0; i < images.size(); ++i) ++counts.at(static_cast<std::size_t>(images.label(i)));
  return counts.empty() ? 0 : *std::ranges::max_element(counts);
}

arch::ArchSpec without_drops(arch::ArchSpec spec) {
  spec.dropout = spec.drop_path = 0;
  return spec;
}

}  // namespace effnet::lab
